"""A result: the measurement of one case, or the reason for none."""

from typing import Annotated, Literal

from msgspec import Meta

from study.case import Case
from study.outcome import ResultOutcome
from study.results.calibration.record import Calibration
from study.results.ceilings import Ceilings
from study.results.environment import Environment
from study.results.layers import ModelProfile
from study.results.measurement import Measurement
from study.results.phases import PhaseTime
from study.results.program import ProgramRun
from study.results.record import Bytes, Count, Record

SCHEMA_VERSION = 2
RANK_LOST = "RankLost"  # the type of a failure of which the first rank knows no more
KILLED = "ProgramKilled"  # the same of a program that somebody else ended by force

Phase = Literal["forward", "backward"]


class CaseFailure(Record, frozen=True):
    """The end of a case that has no measurement."""

    type: str
    message: str


class Placement(Record, frozen=True):
    """The GPU (0 .. gpus-1) of each layer (0 .. depth-1).

    With replicas of a pipeline it is the GPU of the first; the GPUs behind it hold the same layers.
    `stage_of_layer` is the stage of each layer in a pipeline, null for `naive` and `tensor`. Under
    `tensor` every GPU holds a share of every layer: `gpu_of_layer` is empty, and `layers_per_gpu`
    is the depth for each.
    """

    gpu_of_layer: list[int]
    layers_per_gpu: list[int]
    stage_of_layer: list[int] | None = None


class PairTransfers(Record, frozen=True):
    """Moves from one GPU to another in one phase of one step."""

    source: int
    target: int
    phase: Phase
    moves: Count
    bytes: Bytes


class Collective(Record, frozen=True):
    """A collective of one phase of one step; `bytes` are of one GPU's tensors."""

    operation: str
    phase: Phase
    calls: Count
    bytes: Bytes


class Transfers(Record, frozen=True):
    """All transfers seen in one training step, micro-batches and all.

    `to_calls_per_forward` is null where processes send and receive and nobody calls `x.to`.
    """

    to_calls_per_forward: Count | None
    moves_forward: Count
    moves_backward: Count
    bytes_forward: Bytes
    bytes_backward: Bytes
    moved_before_layers: list[int]
    by_pair: list[PairTransfers]
    collectives: tuple[Collective, ...] = ()


class Job(Record, frozen=True):
    """The attempt that ran the case. Times are ISO 8601, UTC.

    `attempt` counts the starts of this one job; only `--requeue` allows a second.
    """

    executor: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,31}\Z")]
    slurm_job_id: str | None
    requested_gpus: int
    allocated_gpus: int | None
    visible_gpus: int | None
    submitted_at: str | None
    started_at: str
    finished_at: str
    attempt: int = 1


class Code(Record, frozen=True):
    """The commit of this project that ran; null where git does not tell.

    `dirty` says whether files of the code that ran differed from it, and `changed` names them; null
    in results from before it was noted.
    """

    commit: Annotated[str, Meta(pattern=r"^[0-9a-f]{40,64}\Z")] | None
    dirty: bool | None
    changed: tuple[str, ...] | None = None


class Result(Record, frozen=True):
    """The content of `results/<profile>/<case id>.json`.

    `model` are the layers as the job measured them; null for the linear stack, whose shapes follow
    from its case. `program` is the run of a program, which has none of the other parts but its
    environment. `phases` are those of the job, in order; null for a program, and in results from
    before they were timed. `calibration` is what a calibration has measured; it has no placement,
    measurement, transfers or ceilings.
    """

    case: Case
    case_id: str
    outcome: ResultOutcome
    error: CaseFailure | None
    emulated: bool
    placement: Placement | None
    measurement: Measurement | None
    transfers: Transfers | None
    ceilings: Ceilings | None
    environment: Environment | None
    job: Job
    code: Code
    model: ModelProfile | None = None
    program: ProgramRun | None = None
    phases: tuple[PhaseTime, ...] | None = None
    calibration: Calibration | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def lost_a_rank(self) -> bool:
        """True if all that is known of its end is that a process fell silent or was killed."""
        return self.error is not None and self.error.type in (RANK_LOST, KILLED)

    @property
    def why_failed(self) -> str | None:
        """The reason for the end of the case; None for a measured one."""
        return None if self.error is None else self.error.message
