"""Summaries of step times: the median, its interval, quartiles and outliers.

A sample, `jobs`, holds one sequence of step times (seconds, positive, in the order in which they
were measured) for each job. study/statistics/bootstrap.py finds the interval.
"""

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

Samples = Sequence[Sequence[float]]

MIN_STEPS = 6  # the whole range of 5 covers their true median with 1 - 2 / 2**5 = 93.75 % only
# The range of 8 independent medians covers the true one with 1 - 2 / 2**8 = 99.2 %. Fewer blocks
# cover less where levels last for seconds, and more are too short (benchmarks/coverage.py).
BLOCKS = 8
STEPS_A_BLOCK = 5  # fewer have a median that tells more of single steps than of their time


@dataclass(frozen=True)
class Interval:
    """The interval of the true median with a confidence of 95 %, in seconds."""

    low: float
    high: float

    def half_width(self, estimate: float) -> float:
        """Return half the interval's width, as a share of the estimate."""
        return (self.high - self.low) / 2 / estimate


def estimate(jobs: Samples) -> float:
    """Return the median of one job, or the geometric mean of the medians of several, in seconds.

    Kalibera & Jones 2013: jobs are averaged. On the log scale, as their ratios are compared there.
    """
    medians = [median(job) for job in jobs]
    if len(medians) == 1:
        return medians[0]
    mean = statistics.geometric_mean(medians)
    return min(max(mean, min(medians)), max(medians))  # equal medians are their mean to the digit


def are_enough(jobs: Samples) -> bool:
    """Return whether there is an interval: not for fewer than 6 steps, nor for two jobs."""
    return sum(map(len, jobs)) >= MIN_STEPS and len(jobs) != 2


def across_blocks(steps: Sequence[float]) -> Interval | None:
    """Return the range of the medians of 8 consecutive parts of a run; None below 40 steps.

    The order statistics of medians of long blocks assume nothing about how steps depend on each
    other within a block (Thompson 1936 for the range, Schmeiser 1982 for few long blocks).
    """
    if len(steps) < BLOCKS * STEPS_A_BLOCK:
        return None
    ends = [len(steps) * block // BLOCKS for block in range(BLOCKS + 1)]
    medians = [median(steps[a:b]) for a, b in pairwise(ends)]
    return Interval(min(medians), max(medians))


def hull(a: Interval, b: Interval | None) -> Interval:
    """Return the interval that holds both."""
    return a if b is None else Interval(min(a.low, b.low), max(a.high, b.high))


def quartiles(samples: Sequence[float]) -> tuple[float, float]:
    """Return the first and third quartile, by linear interpolation (R's type 7)."""
    if len(samples) == 1:
        return samples[0], samples[0]
    first, _, third = statistics.quantiles(samples, n=4, method="inclusive")
    return first, third


def outliers(samples: list[float]) -> int:
    """Count the samples more than three interquartile ranges outside of the quartiles.

    Tukey's "far out" (Exploratory Data Analysis, 1977). They are counted and kept.
    """
    ordered = sorted(samples)
    first, third = quartiles(ordered)
    reach = 3 * (third - first)
    far_above = len(ordered) - bisect_right(ordered, third + reach)
    return bisect_left(ordered, first - reach) + far_above
