"""How well the median step time is known: an estimate and its 95 % confidence interval.

A sample, `jobs`, holds one sequence of step times (seconds, positive, as measured one after the
other) for each job. study/statistics/bootstrap.py finds the interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from study.statistics.summaries import median

Samples = Sequence[Sequence[float]]

MIN_STEPS = 6  # the whole range of 5 covers their true median with 1 - 2 / 2**5 = 93.75 % only


@dataclass(frozen=True)
class Interval:
    """Where the true median lies with a confidence of 95 %, in seconds."""

    low: float
    high: float

    def half_width(self, estimate: float) -> float:
        """Half the interval's width, as a share of the estimate."""
        return (self.high - self.low) / 2 / estimate


def estimate(jobs: Samples) -> float:
    """The median of the job medians, in seconds."""
    return median([median(job) for job in jobs])


def are_enough(jobs: Samples) -> bool:
    """Whether there is an interval: not for fewer than 6 steps, nor for two jobs."""
    return sum(map(len, jobs)) >= MIN_STEPS and len(jobs) != 2
