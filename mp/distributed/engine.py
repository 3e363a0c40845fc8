"""The engine of a case with a process, a rank, for each GPU."""

from collections.abc import Callable
from functools import cached_property

import msgspec
import torch

from mp.distributed.data.step import DataParallelStep
from mp.distributed.graph.check import check_graph
from mp.distributed.graph.step import GraphedStep, RankStep
from mp.distributed.instruments import HostOffset, compare_hosts, record_timeline
from mp.distributed.p2p import measure_links
from mp.distributed.pipeline import PipelineStep
from mp.distributed.stages import costs_of, make_stages
from mp.distributed.tensor import TensorParallelStep
from mp.distributed.transfers import observe_collectives, observe_sends
from mp.distributed.world import World
from mp.engine import Engine, ProgressCallback
from mp.families.registry import workload_of
from mp.hardware.devices import Devices
from mp.hardware.environment import States, describe_environment
from mp.timing.clocks import Clock, clock_of
from mp.timing.timeline import Timeline
from mp.workload import Workload
from study.case import Case
from study.results.ceilings import CopyRate
from study.results.environment import Environment, RankPlace
from study.results.result import Placement, Transfers
from study.schedules import SCHEDULES


class DistributedEngine(Engine[RankStep]):
    """An engine as one of its ranks sees it.

    Args:
        case: the case.
        world: all ranks.
        make_workload: makes what the case trains.
    """

    def __init__(
        self,
        case: Case,
        world: World,
        make_workload: Callable[[Case], Workload] = workload_of,
    ) -> None:
        super().__init__(case, world, make_workload)
        self.world: World = world
        self.stages = make_stages(case) if SCHEDULES[case.schedule].is_pipeline else None
        self.is_graph = case.execution == "cuda_graph"
        if self.is_graph and not world.emulated:
            # All of it, since backward returns to the stream on which parameters were first used,
            # and torch's default stream can be in no graph.
            torch.cuda.set_stream(torch.cuda.Stream(world.device))

    def place(self, report: ProgressCallback) -> Placement:
        """Place the layers; for stages of equal costs, measure each layer first."""
        if self.stages is None:
            counts = [self.case.layers] * self.case.gpus
            return Placement(gpu_of_layer=[], layers_per_gpu=counts)
        balance = self.case.balance
        if balance in ("parameters", "flops", "time"):
            self.stages = make_stages(self.case, costs_of(balance, self.profile(report)))
        return self.stages.placement()

    def describe_environment(self, before: States, after: States) -> Environment:
        """Describe the first rank's environment, with the GPUs and places of all."""
        world = self.world
        mine = describe_environment(world.devices, before, after)
        every = world.all_gather((mine, world.place()), tuple[Environment, RankPlace])
        nearby = [p.device for _, p in every if p.host == every[0][1].host and not world.emulated]
        near = describe_environment(Devices([], [torch.device(d) for d in nearby]), {}, {})
        return msgspec.structs.replace(
            every[0][0],
            gpus=[gpu for environment, _ in every for gpu in environment.gpus],
            topology=near.topology,
            ranks=tuple(place for _, place in every),
        )

    def measure_copies(self) -> list[CopyRate]:
        """Check and time the sends between ranks of neighbouring stages."""
        if self.stages is None:
            return []
        rows = self.case.batch_size // self.case.parts
        sizes = self.workload.message_bytes(self.stages.placement().gpu_of_layer, rows)
        every = {
            (source + replica, target + replica): size
            for replica in range(self.case.data_parallel)
            for (source, target), size in sizes.items()
        }
        return measure_links(self.world, every)

    def build(self, case: Case) -> RankStep:
        """Build this rank's part of the step of the case, or of one of other sizes."""
        workload = self.make_workload(case)
        if SCHEDULES[case.schedule].family == "data":
            return DataParallelStep(workload, self.world)
        if self.stages is None:
            return TensorParallelStep(workload, self.world)
        return PipelineStep(workload, self.stages, self.world)

    def check_execution(self) -> None:
        """Train a small model by a graph and by eager steps, which must be equal."""
        if self.is_graph:
            check_graph(self.workload.small_case(), self.build, self.world)

    def prepare(self, step: RankStep) -> Callable[[], None]:
        """Return what is timed: the step, or a CUDA graph of it."""
        return GraphedStep(step, self.world) if self.is_graph else step

    def reset_peaks(self) -> None:
        """Begin with the peaks; those of a graph began as its tensors were allocated."""
        if not self.is_graph:
            super().reset_peaks()

    def release(self, run: Callable[[], None]) -> None:
        """Let go of the graph."""
        if isinstance(run, GraphedStep):
            run.release()

    @property
    def has_instrumented_steps(self) -> bool:
        """True: those of a graph are eager, since nobody can look into its launch."""
        return True

    def observe_transfers(self, step: RankStep) -> Transfers:
        """Train one step and count what all ranks sent or reduced."""
        if isinstance(step, PipelineStep):
            return observe_sends(step, self.world)
        return observe_collectives(step, self.world)

    @cached_property
    def _host(self) -> HostOffset:
        return compare_hosts(self.world)

    @cached_property
    def _clock(self) -> Clock:
        return clock_of(self.world.devices)

    def record_timeline(self, step: RankStep) -> Timeline:
        """Train one instrumented step; the timeline is that of all ranks, on every rank."""
        return record_timeline(step, self.world, self._host, self._clock)
