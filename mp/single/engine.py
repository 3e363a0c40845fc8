"""The engine of a case with all GPUs in one process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mp.engine import OneProcess, ProgressCallback
from mp.hardware.devices import Devices, check_allocation, choose_devices
from mp.hardware.environment import States, describe_environment
from mp.placement import layer_map
from mp.single.copies import measure_copies
from mp.single.cuda_graph import GraphedStep
from mp.single.instruments import record_timeline
from mp.single.step import TrainingStep, build_step
from mp.single.transfers import observe_transfers
from mp.timing.timeline import Timeline
from mp.workload import LinearStack, Workload
from study.case import Case
from study.results.ceilings import CopyRate
from study.results.environment import Environment
from study.results.result import Job, Placement, Transfers


class SingleEngine:
    """An engine whose GPUs, real or logical, all belong to this process.

    Args:
        case: the case.
        devices: its GPUs.
        make_workload: makes what the case trains.
    """

    def __init__(
        self,
        case: Case,
        devices: Devices,
        make_workload: Callable[[Case], Workload] = LinearStack,
    ) -> None:
        self.case, self.devices, self.workload = case, devices, make_workload
        self.world = OneProcess(devices)
        self.emulated = devices.emulated

    def place(self, report: ProgressCallback) -> Placement:
        """Return the layer map of the case."""
        gpu_of_layer = layer_map(self.case.depth, self.case.gpus, self.case.split)
        counts = [gpu_of_layer.count(gpu) for gpu in range(self.case.gpus)]
        return Placement(gpu_of_layer=gpu_of_layer, layers_per_gpu=counts)

    def describe_environment(self, before: States, after: States) -> Environment:
        """Describe the environment, with the states of the GPUs."""
        return describe_environment(self.devices, before, after)

    def measure_copies(self) -> list[CopyRate]:
        """Check and time the copies between GPUs that pass the baton."""
        return measure_copies(self.workload(self.case), self.devices)

    def build(self, case: Case) -> TrainingStep:
        """Build the step of the case, or of one of other sizes."""
        return build_step(case, self.devices, self.workload)

    def prepare(self, step: TrainingStep) -> Callable[[], None]:
        """Return what is timed: the step, or a CUDA graph of it."""
        return GraphedStep(step, self.devices) if self.case.execution == "cuda_graph" else step

    def observe_transfers(self, step: TrainingStep) -> Transfers:
        """Train one step and count what all GPUs moved."""
        return observe_transfers(step, self.devices)

    def record_timeline(self, step: TrainingStep) -> Timeline:
        """Train one instrumented step."""
        return record_timeline(step, self.devices)


@contextmanager
def open_engine(case: Case, job: Job, policy: str) -> Iterator[SingleEngine]:
    """Choose the devices of the case, and give its engine.

    Args:
        case: the case.
        job: the attempt, whose GPUs must be those it asked for.
        policy: as of `choose_devices`.

    Raises:
        GpuMismatch: the GPUs are not those of the case.
    """
    check_allocation(job, policy)
    yield SingleEngine(case, choose_devices(case.gpus, policy))
