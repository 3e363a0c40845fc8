"""The engine of a case with all GPUs, real or logical, in one process."""

from collections.abc import Callable
from functools import cached_property

from mp.engine import Engine, ProgressCallback
from mp.hardware.environment import States, describe_environment
from mp.placement import layer_map
from mp.single.copies import measure_copies
from mp.single.cuda_graph import GraphedStep
from mp.single.instruments import record_timeline
from mp.single.step import TrainingStep, build_step
from mp.single.transfers import observe_transfers
from mp.timing.clocks import Clock, clock_of
from mp.timing.timeline import Timeline
from study.case import Case
from study.results.ceilings import CopyRate
from study.results.environment import Environment
from study.results.result import Placement, Transfers


class SingleEngine(Engine[TrainingStep]):
    """An engine that passes the baton between GPUs of this process."""

    def place(self, report: ProgressCallback) -> Placement:
        """Return the layer map of the case."""
        gpu_of_layer = layer_map(self.case.layers, self.case.gpus, self.case.split)
        counts = [gpu_of_layer.count(gpu) for gpu in range(self.case.gpus)]
        return Placement(gpu_of_layer=gpu_of_layer, layers_per_gpu=counts)

    def describe_environment(self, before: States, after: States) -> Environment:
        """Describe the environment, with the states of the GPUs."""
        return describe_environment(self.world.devices, before, after)

    def measure_copies(self) -> list[CopyRate]:
        """Check and time the copies between GPUs that pass the baton."""
        return measure_copies(self.workload, self.world.devices)

    def build(self, case: Case) -> TrainingStep:
        """Build the step of the case, or of one of other sizes."""
        return build_step(case, self.world.devices, self.make_workload)

    def prepare(self, step: TrainingStep) -> Callable[[], None]:
        """Return what is timed: the step, or a CUDA graph of it."""
        is_graph = self.case.execution == "cuda_graph"
        return GraphedStep(step, self.world.devices) if is_graph else step

    def observe_transfers(self, step: TrainingStep) -> Transfers:
        """Train one step and count what all GPUs moved."""
        return observe_transfers(step, self.world.devices)

    @cached_property
    def _clock(self) -> Clock:
        return clock_of(self.world.devices)

    def record_timeline(self, step: TrainingStep) -> Timeline:
        """Train one instrumented step."""
        return record_timeline(step, self.world.devices, self._clock)
