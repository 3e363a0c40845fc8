"""The step time of a case, from all its jobs, and how well it is known."""

from dataclasses import dataclass

from report.measured import Measured
from study.confidence import Interval, estimate, interval


@dataclass(frozen=True)
class StepTime:
    """The median step in seconds, with its 95 % confidence interval; None where it has none."""

    estimate_s: float
    interval: Interval | None


def step_time(result: Measured) -> StepTime:
    """The interval of one job is the one that it found itself; of several, that of both levels."""
    if result.repeats:
        return StepTime(estimate(result.steps_s), interval(result.steps_s))
    found = result.measurement.median_ci_s
    return StepTime(estimate(result.steps_s), None if found is None else Interval(*found))
