"""Step time of a case over all its jobs, with its confidence interval."""

from dataclasses import dataclass
from functools import cache

from report.data.measured import MeasuredCase
from report.wording.units import seconds_with_interval
from study.statistics.samples import Interval, estimate


@dataclass(frozen=True)
class StepTime:
    """The median step in seconds, with its 95 % confidence interval; None where it is unknown."""

    estimate_s: float
    interval: Interval | None

    @property
    def words(self) -> str:
        """`median (low – high)`, each with its unit."""
        return seconds_with_interval(self.estimate_s, self.interval)


@cache  # tables, figures and answers ask for it
def step_time(result: MeasuredCase) -> StepTime:
    """Return the interval that one job found itself; of several jobs, one over jobs and steps."""
    if result.repeats:
        from study.statistics.bootstrap import interval  # imported here: it needs numpy and scipy

        return StepTime(estimate(result.steps_s), interval(result.steps_s))
    found = result.measurement.median_ci_s
    return StepTime(estimate(result.steps_s), None if found is None else Interval(*found))
