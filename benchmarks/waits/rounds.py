"""Steps of one schedule in all ways, in turns."""

import faulthandler
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from time import monotonic
from typing import Any

from benchmarks.waits.ways import EAGER, Channel, Impossible, Posting, Way
from mp.distributed.engine import DistributedEngine
from mp.distributed.graph.evidence import Evidence, find_difference, gather_evidence
from mp.distributed.graph.step import GraphedStep
from mp.distributed.pipeline import PipelineStep
from mp.distributed.world import World
from mp.timing.clocks import clock_of
from mp.timing.timeline import Timeline, break_down
from mp.timing.timer import no_garbage_collection, time_step
from report.analysis.replay import COMPUTE_KINDS, Replay
from study.case import Case
from study.errors import CaseError

GRAPH = "one CUDA graph of the step"
WARM_UP = 3
MAX_ROUNDS = 60
HANGS_S = 45.0  # no warm-up takes as long


@dataclass
class Row:
    """Steps in one way, an entry for each round; or the reason why there are none.

    Attributes:
        steps_s: of plain steps.
        waiting: the mean share of an instrumented step in which a GPU computes nothing.
        computing_s: the mean seconds in which it computes.
        excess: the share of an instrumented step by which it is longer than its actions, replayed
            in their order without any delay: what neither formula nor imbalance explains.
        reason: in words.
        has_order: whether actions wait for the data that they need, so that there is an excess.
    """

    steps_s: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)
    computing_s: list[float] = field(default_factory=list)
    excess: list[float] = field(default_factory=list)
    reason: str = ""
    has_order: bool = True

    def add(self, timeline: Timeline, clock: Any) -> None:
        """Add what an instrumented step shows."""
        found = break_down([timeline], clock)
        computing_s = fmean(
            gpu.forward_s[0] + gpu.backward_s[0] + gpu.optimizer_s[0] for gpu in found.per_gpu
        )
        spans = [span for span in found.typical_step if span.kind in COMPUTE_KINDS]
        actions = sorted(spans, key=lambda span: (span.start_s, span.end_s))
        length_s = max(span.end_s for span in actions)
        undelayed_s = Replay(actions).length_s([0.0] * len(actions))
        self.waiting.append(1 - computing_s / length_s)
        self.computing_s.append(computing_s)
        if undelayed_s is not None and self.has_order:
            self.excess.append(1 - undelayed_s / length_s)


def measure_schedule(
    case: Case, world: World, channels: dict[Channel, Any], ways: list[Way], end_s: float
) -> dict[str, Row]:
    """Return a row for each way, and one for the CUDA graph.

    Args:
        case: of the pipeline.
        world: all ranks.
        channels: from `make_channels`.
        ways: of posting messages.
        end_s: no round begins after this moment of the host's monotonic clock.
    """
    engine = DistributedEngine(case, world)
    engine.place(lambda progress: None)
    step = engine.build(case)
    assert isinstance(step, PipelineStep)
    posting = Posting(step, world, channels)
    rows = {way.name: Row(has_order=way.size != "none") for way in ways}
    for way in ways:
        rows[way.name].reason = _warm_up(posting, way, world)
    faulthandler.dump_traceback_later(max(0.0, end_s - monotonic()) + 2 * HANGS_S, exit=True)
    graph = _graph_of(engine, world)
    rows[GRAPH] = Row(reason=graph if isinstance(graph, str) else "")
    turns: list[Callable[[], None]] = [
        lambda way=way: _take_turn(rows[way.name], engine, posting, way)  # type: ignore[misc]
        for way in ways
        if not rows[way.name].reason
    ]
    if isinstance(graph, GraphedStep):
        turns.append(lambda: rows[GRAPH].steps_s.append(_seconds(graph, world)))
    with no_garbage_collection():
        for number in range(MAX_ROUNDS):
            if not world.broadcast(monotonic() < end_s or number == 0, bool):
                break
            first = number % len(turns)  # nobody always follows the same one
            for turn in [*turns[first:], *turns[:first]]:
                turn()
    if isinstance(graph, GraphedStep):
        graph.release()
    return rows


def _take_turn(row: Row, engine: DistributedEngine, posting: Posting, way: Way) -> None:
    with posting.use(EAGER):
        posting.step()  # what the way before has left unfinished costs this one nothing
    with posting.use(way):
        row.steps_s.append(_seconds(posting.step, engine.world))
        row.add(engine.record_timeline(posting.step), clock_of(engine.world.devices).name)


def _seconds(step: Callable[[], None], world: World) -> float:
    """Return the seconds of a step on its slowest rank, which all begin together."""
    world.devices.synchronize()
    world.all_reduce_max(0.0)
    return world.all_reduce_max(time_step(step, world.devices))


def _warm_up(posting: Posting, way: Way, world: World) -> str:
    """Run some steps in a way; return why it cannot be, or what it computes wrongly, else nothing.

    Args:
        posting: of the step.
        way: to try; one of whole messages must find the gradients of the step as it is.
        world: all ranks, which return the same.
    """
    faulthandler.dump_traceback_later(HANGS_S, exit=True)
    expected = _gradients(posting)  # and buffers to compute with, where there are no messages
    try:
        with posting.use(way):
            found = _gradients(posting)
            for _ in range(WARM_UP):
                posting.step()
    except Impossible as error:
        return str(error)
    problem = find_difference(expected, found, posting.step.case.dtype)
    every = world.all_gather(problem if way.size == "whole" else None, str | None)
    return next((f"on rank {rank} {its}" for rank, its in enumerate(every) if its), "")


def _gradients(posting: Posting) -> Evidence:
    step = posting.step
    step.compute_gradients()
    return gather_evidence(step.losses, step)


def _graph_of(engine: DistributedEngine, world: World) -> GraphedStep | str:
    """Return a graph of another such step, or in words why there is none."""
    if world.emulated:
        return "CUDA graphs need a GPU for each process"
    step = engine.build(engine.case)
    assert isinstance(step, PipelineStep)
    try:
        return GraphedStep(step, world)
    except CaseError as error:
        return str(error)
