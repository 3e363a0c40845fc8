"""Step time of a case over all its jobs, with its confidence interval."""

from dataclasses import dataclass
from functools import cache

from report.data.measured import MeasuredCase
from report.wording.units import seconds_with_interval
from study.statistics.samples import Interval, across_blocks, estimate, hull

# For where intervals are explained; the figures are those of docs/measuring.md.
# Simulated: docs/measuring.md has the table, benchmarks/coverage.py makes it.
INTERVALS = (
    "If a GPU alternates between two speeds every 3 s or so, the interval of a run of 20 s holds "
    "the true median in 84 to 89 % of runs instead of 95 %, and one narrower than ±0.5 % in 68 to "
    "74 %. The interval of one job does not cover how jobs differ."
)


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
    """Return the interval that one job found itself; of several jobs, Student's t on their medians.

    One that an earlier version found is widened as it is today, to the range of the medians of long
    blocks, which takes neither numpy nor time. The bootstrap in it stays the one that was stored.
    Where a job stored none, it is found here, as every verdict on these steps finds it.
    """
    found = None if result.repeats else result.measurement.median_ci_s
    if found is not None:
        (steps,) = result.steps_s
        return StepTime(estimate(result.steps_s), hull(Interval(*found), across_blocks(steps)))
    from study.statistics.bootstrap import interval  # imported here: it needs numpy and scipy

    return StepTime(estimate(result.steps_s), interval(result.steps_s))
