"""Seconds of each stage of a pipeline with one micro-batch, as its own instrumented step shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from statistics import fmean, median

import msgspec

from report.analysis.replay import WITHOUT_STAGE, Replay, actions_of
from report.data.measured import MeasuredCase
from study.results.measurement import TimeSpan
from study.schedules import SCHEDULES
from study.stages import gpu_of_stage

WIDE = 0.1  # of the mean stage: its half is what makes stages uneven


@dataclass(frozen=True)
class StageTimes:
    """Medians over the micro-batches of the typical step, in seconds by stage.

    Attributes:
        forward_s: Forward of a micro-batch.
        backward_s: All its gradients, be it in one part or in two.
    """

    forward_s: list[float]
    backward_s: list[float]

    @property
    def total_s(self) -> list[float]:
        """Forward and backward of a micro-batch."""
        return [f + b for f, b in zip(self.forward_s, self.backward_s, strict=True)]


@cache
def stage_times(result: MeasuredCase) -> StageTimes | None:
    """Return the times of a pipeline's stages; None where no step shows every one of them."""
    count = len(gpu_of_stage(result.case))
    if not SCHEDULES[result.case.schedule].is_pipeline or count < 2:
        return None
    lengths = _medians(_of_stages(result))
    forward = [lengths.get((stage, "forward"), 0.0) for stage in range(count)]
    gradients = ("backward", "input_gradient", "weight_gradient")
    backward = [sum(lengths.get((s, kind), 0.0) for kind in gradients) for s in range(count)]
    is_whole = all(each > 0 for each in (*forward, *backward))
    return StageTimes(forward, backward) if is_whole else None


@dataclass(frozen=True)
class Spread:
    """The shortest and the longest action of a kind on a stage, in seconds."""

    stage: int
    kind: str
    low_s: float
    high_s: float


@cache
def wide_spread(result: MeasuredCase) -> Spread | None:
    """Return the action that varies most from one micro-batch to the next, if it varies much.

    Much is where the middle half of its lengths spans `WIDE` of what a stage takes on average: then
    the median of these few says no more exactly how long the stage takes.
    """
    times = stage_times(result)
    if times is None:
        return None
    lengths = _lengths(_of_stages(result))
    key = max(lengths, key=lambda one: _middle_half(lengths[one]))
    if _middle_half(lengths[key]) < WIDE * fmean(times.total_s):
        return None
    return Spread(*key, min(lengths[key]), max(lengths[key]))


def _middle_half(lengths: list[float]) -> float:
    """Return how far apart the ends of the middle half are."""
    ordered, cut = sorted(lengths), len(lengths) // 4
    return ordered[-1 - cut] - ordered[cut]


@cache
def bubble_of_medians(result: MeasuredCase) -> float | None:
    """Return the mean bubble, 0 to 1, if each action took the median of its stage, undelayed.

    What it has beyond the formula comes from stages that differ; what varies from one micro-batch
    to the next, the scaling of gradients and the optimizer are not in it.
    """
    actions, lengths = _of_stages(result), _medians(_of_stages(result))
    even = [
        msgspec.structs.replace(a, start_s=0.0, end_s=lengths[a.stage or 0, a.kind])
        for a in actions
    ]
    length_s = Replay(even).length_s([0.0] * len(even))
    if not length_s:
        return None
    busy_s = [sum(a.end_s for a in even if a.gpu == gpu) for gpu in range(result.case.gpus)]
    return 1 - fmean(busy_s) / length_s


def _of_stages(result: MeasuredCase) -> list[TimeSpan]:
    return [action for action in actions_of(result) if action.kind not in WITHOUT_STAGE]


def _medians(actions: Iterable[TimeSpan]) -> dict[tuple[int, str], float]:
    return {key: median(lengths) for key, lengths in _lengths(actions).items()}


def _lengths(actions: Iterable[TimeSpan]) -> dict[tuple[int, str], list[float]]:
    found: dict[tuple[int, str], list[float]] = {}
    for action in actions:
        key = action.stage or 0, action.kind
        found.setdefault(key, []).append(action.end_s - action.start_s)
    return found
