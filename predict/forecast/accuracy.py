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
