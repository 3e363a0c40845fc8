"""Summaries of step times: the median, its interval, quartiles and outliers.

A sample, `jobs`, holds one sequence of step times (seconds, positive, as measured one after the
other) for each job. study/statistics/bootstrap.py finds the interval.
"""

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

Samples = Sequence[Sequence[float]]

MIN_STEPS = 6  # the whole range of 5 covers their true median with 1 - 2 / 2**5 = 93.75 % only


@dataclass(frozen=True)
class Interval:
    """The interval of the true median with a confidence of 95 %, in seconds."""

    low: float
    high: float

    def half_width(self, estimate: float) -> float:
        """Return half the interval's width, as a share of the estimate."""
        return (self.high - self.low) / 2 / estimate


def estimate(jobs: Samples) -> float:
    """Return the median of the job medians, in seconds."""
    return median([median(job) for job in jobs])


def are_enough(jobs: Samples) -> bool:
    """Return whether there is an interval: not for fewer than 6 steps, nor for two jobs."""
    return sum(map(len, jobs)) >= MIN_STEPS and len(jobs) != 2


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
