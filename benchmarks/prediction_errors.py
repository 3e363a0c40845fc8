"""Errors of predictions beside what was measured: steps, bubbles, peaks and orders."""

from collections import Counter

from predict.forecast.pairs import Pair
from report.analysis.bubble import bubbles
from report.analysis.profiled.stage_balance import stages_of
from report.data.measured import measured
from study.statistics.bootstrap import compare

ALIKE, OTHER, UNKNOWN = "cut as predicted", "cut otherwise", "by time, predicted cut not noted"
STEADY = 0.02  # half of the interval of a measured median, as a share of it


def errors(pairs: list[Pair]) -> list[float]:
    """Return the error of each step as a share of what was measured."""
    return [pair.error for pair in pairs]


def is_steady(pair: Pair) -> bool:
    """Return whether the measured median is known well enough to judge a prediction by."""
    assert pair.result.measurement is not None, "pairs are measured"
    found = pair.result.measurement.median_ci_s
    return found is not None and (found[1] - found[0]) / 2 <= STEADY * pair.measured_s


def of_bubbles(pairs: list[Pair]) -> list[float]:
    """Return the error of each GPU's bubble, as a share of a step.

    Not of CUDA graphs, whose measured bubbles are those of eager steps.
    """
    found = []
    for pair in pairs:
        if pair.case.execution == "cuda_graph":
            continue
        seen = bubbles(measured(pair.result))
        predicted = pair.prediction.bubbles
        found += [its - each.measured for its, each in zip(predicted, seen, strict=False)]
    return found


def by_cut(pairs: list[Pair]) -> dict[str, list[Pair]]:
    """Return the cases whose job had the predicted stages, or has none, and those of another cut.

    An error of their memory is one of memory, or of the cut.
    """
    found: dict[str, list[Pair]] = {ALIKE: [], OTHER: [], UNKNOWN: []}
    for pair in pairs:
        seen = measured(pair.result)
        stages = None if seen is None else stages_of(seen)
        is_sure = stages is None or pair.case.balance != "time"
        predicted = pair.prediction.layers_per_stage
        counts = () if stages is None else tuple(Counter(stages).values())
        alike = is_sure or counts == predicted
        found[ALIKE if alike else OTHER if predicted else UNKNOWN].append(pair)
    return found


def of_peaks(pairs: list[Pair]) -> list[float]:
    """Return the error of each GPU's peak, as a share of what was measured."""
    found = []
    for pair in pairs:
        predicted = pair.prediction.peak_bytes
        assert pair.result.measurement is not None, "pairs are measured"
        seen = [gpu.peak_allocated_bytes for gpu in pair.result.measurement.per_gpu]
        if not predicted or None in seen:
            continue
        known = [size for size in seen if size is not None]
        if len(predicted) == 1:
            found.append(predicted[0] / max(known) - 1)
        elif len(known) % len(predicted) == 0:
            firsts = known[:: len(known) // len(predicted)]
            found += [its / size - 1 for its, size in zip(predicted, firsts, strict=True)]
    return found


def is_slower(a: Pair, b: Pair) -> bool | None:
    """Return whether the first was measured to be slower; None if nobody can tell."""
    steps = [list(p.result.measurement.step_times_s) for p in (a, b) if p.result.measurement]
    found = compare([steps[0]], [steps[1]])
    if found is None or found.kind not in ("slower", "faster"):
        return None
    return a.measured_s > b.measured_s
