"""Instrumented steps of several ranks: timestamps of each action, on one clock for all."""

from dataclasses import dataclass, field, replace
from time import perf_counter

import torch
import torch.distributed as dist

from mp.distributed.data.step import DataParallelStep
from mp.distributed.pipeline import PipelineStep
from mp.distributed.step_listener import SILENT, StepListener
from mp.distributed.tensor import TensorParallelStep
from mp.distributed.world import World
from mp.timing.clocks import Clock, Mark
from mp.timing.timeline import Span, Timeline, dependencies
from study.results.environment import RankPlace
from study.results.measurement import SpanKind

EXCHANGES = 20


@dataclass(frozen=True)
class HostOffset:
    """Seconds by which a host's clock is ahead of the first rank's, and how far off that may be."""

    ahead_s: float
    error_s: float


@dataclass
class _Recorder(StepListener):
    """Collects the actions of one step of this rank: CUDA events, or the host's clock on a CPU."""

    clock: Clock
    actions: list[tuple[SpanKind, int | None, int | None, Mark]] = field(default_factory=list)
    ends: list[Mark] = field(default_factory=list)
    operations: dict[int, str] = field(default_factory=dict)  # by the number of the action

    def begin(
        self, kind: SpanKind, stage: int | None = None, micro_batch: int | None = None
    ) -> None:
        self.actions.append((kind, stage, micro_batch, self.clock.mark(0)))

    def begin_wait(self, operation: str) -> None:
        self.operations[len(self.actions)] = operation
        self.begin("collective")

    def end(self) -> None:
        self.ends.append(self.clock.mark(0))

    def extend(self) -> None:
        self.ends[-1] = self.clock.mark(0)

    def spans(self, gpu: int) -> list[Span]:
        """Return all actions, in seconds since this rank's step began."""
        return [
            Span(
                gpu,
                kind,
                self.clock.seconds(0, start),
                self.clock.seconds(0, end),
                stage=stage,
                micro_batch=micro_batch,
                operation=self.operations.get(number),
            )
            for number, ((kind, stage, micro_batch, start), end) in enumerate(
                zip(self.actions, self.ends, strict=True)
            )
        ]


def record_timeline(
    step: PipelineStep | TensorParallelStep | DataParallelStep,
    world: World,
    host: HostOffset,
    clock: Clock,
) -> Timeline:
    """Train one instrumented step; return the timeline of all ranks, on every rank.

    Args:
        step: this rank's part.
        world: the ranks.
        host: this host's clock against the first rank's, from `compare_hosts`.
        clock: from `clock_of`, the same for all steps.
    """
    recorder = _Recorder(clock)
    step.listen(recorder)
    world.devices.synchronize()
    clock.align()
    world.all_reduce_max(0.0)  # start together
    started = recorder.clock.start()
    step.compute_gradients()
    recorder.begin("optimizer")
    step.optimizer.step()
    recorder.end()
    world.devices.synchronize()
    ended = perf_counter()
    step.listen(SILENT)
    mine = (started - host.ahead_s, ended - host.ahead_s, recorder.spans(world.rank))
    seen = world.all_gather(mine, tuple[float, float, list[Span]])
    origin = min(start for start, _, _ in seen)
    end_s = max(end for _, end, _ in seen) - origin
    spans = [
        replace(s, start_s=s.start_s + start - origin, end_s=s.end_s + start - origin)
        for start, _, its_spans in seen
        for s in its_spans
    ]
    return Timeline(
        spans=sorted([*spans, *exposed_waits(spans)], key=lambda span: span.start_s),
        step_s=end_s,
        ends_s=[end_s] * world.size,
        clock_error_s=2 * world.all_reduce_max(host.error_s + clock.error_s),
    )


def exposed_waits(spans: list[Span]) -> list[Span]:
    """Return, for each action that began late although its data had been made, the time between.

    This is the part of a transfer, and of its launch, that nothing hid. What a GPU waits before the
    data have been made is not due to the transfer, and counts as idle.
    """
    maker_of = {id(user): maker for maker, user in dependencies(spans)}
    waits = []
    for gpu in {span.gpu for span in spans}:
        free_s = 0.0
        for span in sorted((s for s in spans if s.gpu == gpu), key=lambda s: s.start_s):
            if (maker := maker_of.get(id(span))) is not None:
                since = max(free_s, maker.end_s)
                if since < span.start_s:
                    waits.append(Span(gpu, "transfer_in", since, span.start_s, maker.gpu))
            free_s = span.end_s
    return waits


def compare_hosts(world: World) -> HostOffset:
    """Compare this host's clock with the first rank's.

    Processes of one host share its clock. Else it is asked for 20 times, and the quickest answer is
    believed, which is right to within half the time it took (Cristian 1989).
    """
    hosts = [place.host for place in world.all_gather(world.place(), RankPlace)]
    mine = HostOffset(0.0, 0.0)
    for rank in range(1, world.size):
        if hosts[rank] != hosts[0] and world.rank in (0, rank):
            mine = _compare_clocks(world, rank)
    return mine


def _compare_clocks(world: World, rank: int) -> HostOffset:
    best = (float("inf"), 0.0)
    for _ in range(EXCHANGES):
        now = torch.tensor([perf_counter()], dtype=torch.float64)
        if world.rank == 0:
            dist.recv(now, src=rank, group=world.control)
            dist.send(torch.tensor([perf_counter()], dtype=torch.float64), rank, world.control)
        else:
            asked = perf_counter()
            dist.send(now, 0, world.control)
            dist.recv(now, src=0, group=world.control)
            answered = perf_counter()
            best = min(best, (answered - asked, (asked + answered) / 2 - now.item()))
    return HostOffset(best[1], best[0] / 2) if world.rank else HostOffset(0.0, 0.0)
