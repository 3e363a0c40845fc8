"""Step time as a fixed cost and a cost per layer: a straight line through times against depth."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from report.analysis.comparison import is_disturbed, verdict, why_incomparable
from report.analysis.step_time import StepTime, step_time
from report.data.measured import MeasuredCase
from report.wording.units import TIMES, unit_for
from study.statistics.samples import Interval

MIN_DEPTHS = 3
STRAIGHT = 0.98  # R² from which on a line describes the times: a bend of a tenth leaves 0.99
RESAMPLES = 2000
TAILS = (0.025, 0.975)
LOW_DIGIT = 3  # a half-width that begins with 1 or 2 has two digits: 0.25 (0.23 to 0.28)
TWO_SIDED = 1.96  # standard deviations from the median to an end of its 95 % interval


@dataclass(frozen=True)
class Fit:
    """step time = intercept_s + slope_s * depth, by least squares.

    The intervals are those that the medians' own intervals leave, if the line is straight: 95 % of
    lines through times drawn from them. R² is the share of the variance that the line explains.
    """

    slope_s: float
    intercept_s: float
    slope: Interval
    intercept: Interval
    r_squared: float

    @property
    def words(self) -> str:
        """The slope, which is the time per layer, with its interval."""
        return in_interval(self.slope_s, self.slope, " per layer")

    @property
    def fit(self) -> str:
        """R² in words; it is 1 only where the line meets every time."""
        return f"R² = {self.r_squared:.4f}"


def fit_depth(results: Sequence[MeasuredCase]) -> Fit | None:
    """Fit the medians of cases that differ in depth alone.

    None for fewer than three depths, unless each depth is comparable to the one before it and
    slower and nothing disturbed them, where a median has no interval, and where the times are not
    on a line.
    """
    ranked = tuple(sorted(results, key=lambda result: result.case.depth))
    if len({result.case.depth for result in ranked}) < MIN_DEPTHS:
        return None
    return _fit(ranked) if all(_is_slower(a, b) for a, b in pairwise(ranked)) else None


def straightness(results: Sequence[MeasuredCase]) -> float:
    """Return R² of a straight line through the medians, whatever they are."""
    times = [step_time(result).estimate_s for result in results]
    if len(set(times)) < MIN_DEPTHS - 1:
        return 0.0
    return float(statistics.correlation([r.case.depth for r in results], times) ** 2)


def in_interval(value: float, interval: Interval, of: str = "") -> str:
    """Return `0.25 ms (95 % CI 0.23 to 0.28 ms)`, with the digits that the interval supports.

    Args:
        value: In seconds.
        interval: Its interval.
        of: Goes between the value and the interval.
    """
    low, high = (_in_digits(end, value, interval) for end in (interval.low, interval.high))
    unit = unit_for(_largest(value, interval), TIMES)[1]
    return f"{rounded(value, interval)}{of} (95 % CI {low} to {high} {unit})"


def rounded(value: float, interval: Interval) -> str:
    """Return a duration with the digits that its interval supports."""
    unit = unit_for(_largest(value, interval), TIMES)[1]
    return f"{_in_digits(value, value, interval)} {unit}"


def _in_digits(shown: float, value: float, interval: Interval) -> str:
    """Round to the first digit of the interval's half-width, to its second if that begins low."""
    scale = unit_for(_largest(value, interval), TIMES)[0]
    width, size = (interval.high - interval.low) / 2 / scale, abs(value) / scale
    most = 2 - math.floor(math.log10(size)) if size > 0 else 2  # three digits
    wanted = most
    if width > 0:
        power = math.floor(math.log10(width))
        wanted = -power + (width / 10**power < LOW_DIGIT)
    digits = min(wanted, most)
    nearest = round(shown / scale, digits) + 0.0  # never −0
    return f"{nearest:.{max(0, digits)}f}".replace("-", "−")


def _largest(value: float, interval: Interval) -> float:
    return max(abs(value), abs(interval.low), abs(interval.high))


def _is_slower(a: MeasuredCase, b: MeasuredCase) -> bool:
    is_valid = why_incomparable(a, b, "depth") is None and not is_disturbed(a, b)
    return is_valid and verdict(a, b).kind == "slower"


@cache
def _fit(ranked: tuple[MeasuredCase, ...]) -> Fit | None:
    found = [step_time(result) for result in ranked]
    drawn = [_draws(one, len(result.jobs), seed)
             for seed, (one, result) in enumerate(zip(found, ranked, strict=True))]  # fmt: skip
    r_squared = straightness(ranked)
    if r_squared < STRAIGHT or any(draws is None for draws in drawn):
        return None
    depths = [float(result.case.depth) for result in ranked]
    slope, intercept = statistics.linear_regression(depths, [one.estimate_s for one in found])
    if slope <= 0:
        return None
    return Fit(slope, intercept, *_bounds(depths, drawn), r_squared)


def _draws(found: StepTime, jobs: int, seed: int) -> list[float] | None:
    """Return times in seconds that the median's interval allows; wider where there is one job."""
    from study.statistics.between_jobs import JOB_SD  # imported here: it needs numpy and scipy

    if found.interval is None:
        return None
    down = math.log(found.estimate_s / found.interval.low) / TWO_SIDED
    up = math.log(found.interval.high / found.estimate_s) / TWO_SIDED
    between = JOB_SD if jobs == 1 else 0.0
    normal = statistics.NormalDist()
    return [
        found.estimate_s * math.exp((up if a > 0 else down) * a + between * b)
        for a, b in zip(
            normal.samples(RESAMPLES, seed=2 * seed),
            normal.samples(RESAMPLES, seed=2 * seed + 1),
            strict=True,
        )
    ]


def _bounds(depths: list[float], drawn: Sequence[list[float] | None]) -> tuple[Interval, Interval]:
    """Return the intervals of slope and intercept: both are sums of the times, with weights."""
    mean = statistics.fmean(depths)
    spread = sum((depth - mean) ** 2 for depth in depths)
    weights = [(depth - mean) / spread for depth in depths]
    slopes, intercepts = [], []
    for times in zip(*(draws for draws in drawn if draws is not None), strict=True):
        slope = sum(weight * time for weight, time in zip(weights, times, strict=True))
        slopes.append(slope)
        intercepts.append(statistics.fmean(times) - slope * mean)
    return _middle(slopes), _middle(intercepts)


def _middle(values: list[float]) -> Interval:
    ordered = sorted(values)
    low, high = (ordered[round(tail * (len(ordered) - 1))] for tail in TAILS)
    return Interval(low, high)
