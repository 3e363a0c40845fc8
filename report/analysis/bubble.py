"""Bubbles of a pipeline: the share of a step that each GPU waits, and its causes.

The actions of the typical step are replayed in the order in which they were seen, without delays
and then with the delays of transfers alone. So the bubble splits into what the formula gives for
actions of equal length, what their real lengths and the optimizer add (imbalance), what waiting for
data adds that have been made elsewhere (communication), and the rest, of which no cause is known.
"""

from dataclasses import dataclass, replace
from functools import cache

from report.analysis.flops import parts_of
from report.analysis.replay import COMPUTE_KINDS, Replay, actions_of, spans_of, typical_step_s
from report.analysis.time_use import is_unlike_graph
from report.data.measured import MeasuredCase
from study.results.measurement import TimeSpan
from study.stages import bubble_share

# What moves data; in a pipeline a collective adds up the gradients of shared weights.
MOVING = ("transfer_in", "transfer_out", "collective")


@dataclass(frozen=True)
class Bubble:
    """The share of a step in which one GPU computes nothing; its parts add up to `measured`.

    None is unknown: without a formula there is no imbalance, without stages no part.
    """

    gpu: int
    measured: float
    formula: float | None
    imbalance: float | None = None
    communication: float | None = None
    rest: float | None = None


@cache
def bubbles(result: MeasuredCase) -> list[Bubble]:
    """Return the bubble of each GPU; empty where no step was instrumented.

    Empty as well for a CUDA graph that is much faster than its instrumented steps: 60 % of a step
    of 85 ms are not 60 % of one of 32 ms.
    """
    if not spans_of(result) or is_unlike_graph(result):
        return []
    lengths = _played_again(result)
    return [
        _bubble(result, gpu, typical_step_s(result), lengths) for gpu in range(result.case.gpus)
    ]


def _bubble(
    result: MeasuredCase, gpu: int, step_s: float, lengths: tuple[float, float] | None
) -> Bubble:
    busy_s = sum(
        span.end_s - span.start_s
        for span in spans_of(result)
        if span.gpu == gpu and span.kind in COMPUTE_KINDS
    )
    measured, formula = 1 - busy_s / step_s, bubble_share(result.case, parts_of(result))
    if lengths is None:
        return _without_stages(result, Bubble(gpu, measured, formula), step_s)
    undelayed, with_transfers = (1 - busy_s / length_s for length_s in lengths)
    return Bubble(
        gpu,
        measured,
        formula,
        imbalance=None if formula is None else undelayed - formula,
        communication=with_transfers - undelayed,
        rest=measured - with_transfers,
    )


def _without_stages(result: MeasuredCase, bubble: Bubble, step_s: float) -> Bubble:
    """Count time in collectives as communication, as for tensor parallelism."""
    together = [span for span in spans_of(result) if span.kind == "collective"]
    if not together:
        return bubble
    share = sum(s.end_s - s.start_s for s in together if s.gpu == bubble.gpu) / step_s
    return replace(bubble, communication=share, rest=bubble.measured - share)


def _played_again(result: MeasuredCase) -> tuple[float, float] | None:
    """Return the step's length in seconds without delays, and with those of transfers.

    None without stages, and for spans that no pipeline makes.
    """
    actions = actions_of(result)
    if not actions:
        return None
    replay = Replay(actions)
    transfers = [span for span in spans_of(result) if span.kind in MOVING]
    waited = [
        _covered(action.gpu, replay.ready_s(number), action.start_s, transfers)
        for number, action in enumerate(actions)
    ]
    undelayed = replay.length_s([0.0] * len(actions))
    with_transfers = replay.length_s(waited)
    return None if not undelayed or not with_transfers else (undelayed, with_transfers)


def _covered(gpu: int, start_s: float, end_s: float, spans: list[TimeSpan]) -> float:
    """Return the seconds of an interval that the spans of one GPU cover; they do not overlap."""
    return sum(
        max(0.0, min(end_s, span.end_s) - max(start_s, span.start_s))
        for span in spans
        if span.gpu == gpu
    )
