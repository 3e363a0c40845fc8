"""Replay of a step's actions in the order in which they were seen, with other delays."""

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import cast, get_args

import msgspec

from predict.orders.action import Action, Kind
from report.data.measured import MeasuredCase
from study.results.measurement import TimeSpan

WITHOUT_STAGE = ("scaling", "optimizer")
COMPUTE_KINDS = ("forward", "backward", "input_gradient", "weight_gradient", *WITHOUT_STAGE)


def spans_of(result: MeasuredCase) -> list[TimeSpan]:
    """Return the spans of the typical step; empty where no step was instrumented."""
    breakdown = result.measurement.breakdown
    return [] if breakdown is None else breakdown.typical_step


def typical_step_s(result: MeasuredCase) -> float:
    """Return the length of the typical step in seconds, up to its last span."""
    return max(span.end_s for span in spans_of(result))


def actions_of(result: MeasuredCase) -> list[TimeSpan]:
    """Return the computing spans of the typical step with stage and micro-batch, sorted by start.

    The naive schedule has one stage a GPU, and the whole batch is one micro-batch. Empty where
    spans have no stage, as under tensor parallelism.
    """
    found = [span for span in spans_of(result) if span.kind in COMPUTE_KINDS]
    if result.case.schedule == "naive":
        found = [msgspec.structs.replace(s, stage=s.gpu, micro_batch=0) for s in found]
    if any(s.stage is None for s in found if s.kind not in WITHOUT_STAGE):
        return []
    return sorted(found, key=lambda span: (span.start_s, span.end_s))


def orders_of(result: MeasuredCase) -> dict[int, list[Action]]:
    """Return the actions of each GPU in the order seen; empty where `actions_of` is."""
    return orders_in(actions_of(result))


def orders_in(spans: Sequence[TimeSpan]) -> dict[int, list[Action]]:
    """Return the actions of each GPU in the order of these spans, which are sorted by start."""
    found: dict[int, list[Action]] = {}
    for span in spans:
        if span.kind in get_args(Kind):
            action = Action(cast(Kind, span.kind), span.stage or 0, span.micro_batch or 0)
            found.setdefault(span.gpu, []).append(action)
    return found


class Replay:
    """Actions that each wait for the one before on their GPU and for the one that they need.

    A forward needs that of the stage before; a gradient of an input, or of all at once, needs that
    of the stage after, at the last stage its own forward; a gradient of weights that of the input.
    """

    def __init__(self, actions: Sequence[TimeSpan]) -> None:
        self.actions = actions
        self._before = _before_on_the_gpu(actions)
        self._needs = _needs(actions)

    def ready_s(self, number: int) -> float:
        """Return when this action could have begun, by the ends that were seen."""
        return max((self.actions[i].end_s for i in self._after(number)), default=0.0)

    def length_s(self, delays: Sequence[float]) -> float | None:
        """Return when the last action ends, with these delays before each; None for a deadlock."""
        graph = {number: self._after(number) for number in range(len(self.actions))}
        ends: dict[int, float] = {}
        try:
            for number in TopologicalSorter(graph).static_order():
                start = max((ends[i] for i in graph[number]), default=0.0)
                action = self.actions[number]
                ends[number] = start + delays[number] + action.end_s - action.start_s
        except CycleError:
            return None
        return max(ends.values(), default=0.0)

    def _after(self, number: int) -> list[int]:
        """Return the actions that must have ended before this one begins."""
        return [i for i in (self._before[number], self._needs[number]) if i is not None]


def _before_on_the_gpu(actions: Sequence[TimeSpan]) -> list[int | None]:
    newest: dict[int, int] = {}
    before = []
    for number, action in enumerate(actions):
        before.append(newest.get(action.gpu))
        newest[action.gpu] = number
    return before


def _needs(actions: Sequence[TimeSpan]) -> list[int | None]:
    """Return for each action the one whose output it uses; None where no action makes it."""
    made = {(_made_by(a), a.stage, a.micro_batch): i for i, a in enumerate(actions)}
    last = max((a.stage for a in actions if a.stage is not None), default=0)

    def maker(action: TimeSpan) -> int | None:
        stage, micro_batch = action.stage, action.micro_batch
        if stage is None or action.kind in WITHOUT_STAGE:
            return None
        if action.kind == "forward":
            return made.get(("forward", stage - 1, micro_batch))
        own = made.get(("gradient", stage, micro_batch))
        if action.kind == "weight_gradient" and own is not None:
            return own
        if stage == last:
            return made.get(("forward", stage, micro_batch))
        return made.get(("gradient", stage + 1, micro_batch))

    return [maker(action) for action in actions]


def _made_by(action: TimeSpan) -> str:
    """Return the kind of output that others use: of a forward, or the gradient of an input."""
    return "gradient" if action.kind in ("backward", "input_gradient") else action.kind
