"""A result: what one case measured, or why it did not. Raw SI values; null is unknown."""

from typing import Literal

import msgspec

from study.case import Case
from study.outcome import ResultOutcome

SCHEMA_VERSION = 1

Phase = Literal["forward", "backward"]


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a result file, strict about its keys."""


class CaseFailure(_Record, frozen=True):
    """What ended a case that has no measurement."""

    type: str
    message: str


class Placement(_Record, frozen=True):
    """Which GPU (0 .. gpus-1) holds which layer (0 .. depth-1)."""

    gpu_of_layer: list[int]
    layers_per_gpu: list[int]


class GpuMemory(_Record, frozen=True):
    """One GPU of the case. The peaks are those of the timed steps; null where not known."""

    index: int
    device: str
    layers: int
    peak_allocated_bytes: int | None
    peak_reserved_bytes: int | None


class Measurement(_Record, frozen=True):
    """Raw step times, one per timed step; phase times come from steps of their own."""

    step_times_s: list[float]
    stopped_by: Literal["steps", "time_limit"]
    warmup_steps: int
    forward_s: list[float]
    backward_s: list[float]
    optimizer_s: list[float]
    first_loss: float | None
    per_gpu: list[GpuMemory]
    # Logical GPUs that share one real GPU have no peaks of their own; this is their sum's peak.
    shared_peak_allocated_bytes: int | None
    shared_peak_reserved_bytes: int | None


class PairTransfers(_Record, frozen=True):
    """Moves from one GPU to another in one phase of one step."""

    source: int
    target: int
    phase: Phase
    moves: int
    bytes: int


class Transfers(_Record, frozen=True):
    """What was seen moving in one training step."""

    to_calls_per_forward: int
    moves_forward: int
    moves_backward: int
    bytes_forward: int
    bytes_backward: int
    moved_before_layers: list[int]
    by_pair: list[PairTransfers]


class Gpu(_Record, frozen=True):
    """One real GPU of the host, as far as torch and NVML tell."""

    index: int
    name: str
    uuid: str | None
    total_memory_bytes: int
    sm_clock_hz: int | None
    max_sm_clock_hz: int | None


class Environment(_Record, frozen=True):
    """Where it was measured. The clocks are read right after the timed steps."""

    host: str
    cpu: str | None
    cpu_count: int | None
    cpu_threads: int
    gpus: list[Gpu]
    driver: str | None
    cuda: str | None
    torch: str
    python: str
    tf32: bool


class Job(_Record, frozen=True):
    """The attempt that ran the case. Times are ISO 8601, UTC.

    `attempt` counts the starts of this one job; only `--requeue` allows a second.
    """

    executor: Literal["slurm", "local", "none"]
    slurm_job_id: str | None
    requested_gpus: int
    allocated_gpus: int | None
    visible_gpus: int | None
    submitted_at: str | None
    started_at: str
    finished_at: str
    attempt: int = 1


class Code(_Record, frozen=True):
    """The commit of this project that ran; null where git does not tell."""

    commit: str | None
    dirty: bool | None


class Result(_Record, frozen=True):
    """The content of `results/<profile>/<case id>.json`."""

    case: Case
    case_id: str
    outcome: ResultOutcome
    error: CaseFailure | None
    emulated: bool
    placement: Placement | None
    measurement: Measurement | None
    transfers: Transfers | None
    environment: Environment | None
    job: Job
    code: Code
    schema_version: int = SCHEMA_VERSION

    @property
    def why_failed(self) -> str | None:
        """What ended the case; None for a measured one."""
        return None if self.error is None else self.error.message
