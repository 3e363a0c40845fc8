"""Errors of predictions against what was measured later."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean

from predict.forecast.pairs import Pair

NINE_TENTHS = 0.9


@dataclass(frozen=True)
class Spread:
    """Absolute errors: their mean, the one that nine of ten do not exceed, the largest."""

    count: int
    mean: float
    p90: float
    largest: float


def spread_of(errors: Sequence[float]) -> Spread | None:
    """Return how errors spread, without their signs; None without any."""
    if not errors:
        return None
    ordered = sorted(map(abs, errors))
    at = ceil(NINE_TENTHS * len(ordered)) - 1
    return Spread(len(ordered), fmean(ordered), ordered[at], ordered[-1])


def given_as_points(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs that were given as a point, on the machine they were made for."""
    return [p for p in pairs if not p.prediction.is_launch_bound and p.other_machine is None]


def covered(pairs: Sequence[Pair]) -> float | None:
    """Return the share of pairs whose measured step lies in the interval; None without any."""
    return fmean(pair.is_inside for pair in pairs) if pairs else None


def summary(pairs: Sequence[Pair], unpredicted: dict[str, int]) -> list[str]:
    """Return in sentences how well predictions agreed, and how many cases had none.

    Args:
        pairs: predicted and measured.
        unpredicted: how many cases had no prediction, by the reason.
    """
    said = []
    points, bounds = given_as_points(pairs), [p for p in pairs if p.prediction.is_launch_bound]
    if spread := spread_of([pair.error for pair in points]):
        inside = sum(pair.is_inside for pair in points)
        steps, lie = ("step", "lies in its") if spread.count == 1 else ("steps", "lie in their")
        said.append(
            f"Error of {spread.count} predicted {steps}: {100 * spread.mean:.1f} % on average, "
            f"{100 * spread.largest:.1f} % at most; {inside} of {spread.count} {lie} 90 % interval."
        )
    if bounds:
        held = sum(p.is_inside for p in bounds)
        said.append(
            f"{len(bounds)} launch-bound: given as a lower bound, which {held} of them keep."
        )
    for differs in dict.fromkeys(p.other_machine for p in pairs if p.other_machine):
        count = sum(p.other_machine == differs for p in pairs)
        said.append(f"{count} not counted: calibrated and measured differ in {differs}.")
    said += [f"{count} without a prediction: {why}." for why, count in unpredicted.items()]
    return said
