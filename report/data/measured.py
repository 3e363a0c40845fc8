"""A measured configuration: one job or several, with every part of the result present."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from report.data.programs import measurement_of, nothing_of_a_model
from report.wording.hardware import emulation, hardware
from report.wording.units import count_of
from study.case import Case
from study.results.ceilings import Ceilings
from study.results.environment import Environment
from study.results.layers import ModelProfile
from study.results.measurement import GpuMemory, Measurement
from study.results.phases import PhaseTime
from study.results.program import ProgramRun
from study.results.result import Code, Job, Placement, Result, Transfers
from study.stages import in_first_replica


@dataclass(frozen=True, slots=True, eq=False)  # hashed by identity, for caches
class MeasuredCase:
    """One job's result, and the jobs that repeat it.

    `model` are the layers as measured, None for the linear stack. `program` is set for a program,
    of which the steps and the environment are known alone. Step times come from all jobs.
    What does not differ between jobs, and what only one job can show, is this job's. `shared_hosts`
    are its hosts on which another job ran at the same time.
    """

    case: Case
    emulated: bool
    placement: Placement
    measurement: Measurement
    transfers: Transfers
    ceilings: Ceilings
    environment: Environment
    job: Job
    code: Code
    model: ModelProfile | None = None
    program: ProgramRun | None = None
    shared_hosts: tuple[str, ...] = ()
    phases: tuple[PhaseTime, ...] | None = None
    repeats: Sequence["MeasuredCase"] = field(default=())

    @property
    def jobs(self) -> list["MeasuredCase"]:
        """This job and its repeats."""
        return [self, *self.repeats]

    @property
    def steps_s(self) -> list[list[float]]:
        """The step times of each job, in seconds."""
        return [job.measurement.step_times_s for job in self.jobs]

    @property
    def hosts(self) -> set[str]:
        """The hosts of this job."""
        return {self.environment.host, *(rank.host for rank in self.environment.ranks)}

    @property
    def fullest_gpu(self) -> GpuMemory | None:
        """The GPU with the highest peak memory; None where no peak is known."""
        known = [g for g in self.measurement.per_gpu if g.peak_allocated_bytes is not None]
        return max(known, key=lambda gpu: gpu.peak_allocated_bytes or 0, default=None)

    @property
    def layer_names(self) -> list[str] | None:
        """The names of the layers, in order; None for the linear stack, whose have numbers."""
        if self.model is None:
            return None
        names = [layer.name for layer in self.model.layers]
        return names if len(names) == self.case.layers else None

    def layers_of_gpu(self, gpu: int) -> list[int]:
        """Return the layers of a GPU; replicas have the same. Empty where they are on all GPUs."""
        first = in_first_replica(self.case, gpu)
        return [i for i, holder in enumerate(self.placement.gpu_of_layer) if holder == first]

    @property
    def hardware(self) -> str:
        """The names of the GPUs, or of the CPU that computed."""
        return hardware(self.environment)

    @property
    def gpus(self) -> str:
        """The number of GPUs, and the device that emulates them: `5 GPUs (emulated on the CPU)`."""
        count = self.case.gpus
        return f"{count_of(count, 'GPU')}{emulation(self.environment, self.emulated)}"


def measured(result: Result, shared_hosts: tuple[str, ...] = ()) -> MeasuredCase | None:
    """Return the result as a measured case; None for a case that failed."""
    placement, measurement = result.placement, result.measurement
    transfers, ceilings = result.transfers, result.ceilings
    environment, program = result.environment, result.program
    if program is not None:
        measurement = measurement_of(program)
        placement, transfers, ceilings = nothing_of_a_model()
    if result.outcome != "ok" or placement is None or measurement is None:
        return None
    if transfers is None or ceilings is None or environment is None:
        return None
    return MeasuredCase(
        result.case,
        result.emulated,
        placement,
        measurement,
        transfers,
        ceilings,
        environment,
        result.job,
        result.code,
        result.model,
        program,
        shared_hosts,
        result.phases,
    )
