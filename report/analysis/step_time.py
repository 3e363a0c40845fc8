"""The step time of a case, from all its jobs, and how well it is known."""

from dataclasses import dataclass
from functools import cache

from report.data.measured import MeasuredCase
from report.wording.units import seconds_with_interval
from study.statistics.samples import Interval, estimate


@dataclass(frozen=True)
class StepTime:
    """The median step in seconds, with its 95 % confidence interval; None where it has none."""

    estimate_s: float
    interval: Interval | None

    @property
    def words(self) -> str:
        """`median (low – high)`, in the unit of the median."""
        return seconds_with_interval(self.estimate_s, self.interval)


@cache  # tables, notes and answers ask for it again
def step_time(result: MeasuredCase) -> StepTime:
    """The interval of one job is the one that it found itself; of several, that of both levels."""
    if result.repeats:
        from study.statistics.bootstrap import (
            interval,  # here, since numpy and scipy take their time
        )

        return StepTime(estimate(result.steps_s), interval(result.steps_s))
    found = result.measurement.median_ci_s
    return StepTime(estimate(result.steps_s), None if found is None else Interval(*found))
