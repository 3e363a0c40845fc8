"""Clocks that differ between two measurements, and whether that can be all of the difference."""

import math
from dataclasses import dataclass

from report.data.clocks import POWER_CAP, GpuClocks, slowest
from report.data.measured import MeasuredCase
from study.statistics.samples import estimate

# Clocks are seen twice a job, and those of a capped GPU wander by some 5 % within one. So means
# that are 5 % apart differ where all clocks of one lie above all of the other; else it takes 10 %.
APART = 0.05
FAR_APART = 0.10
SEEN = 0.005  # a smaller difference of step times is none, as in a verdict


@dataclass(frozen=True)
class ClockGap:
    """The slowest GPUs of two measurements, whose clocks differ clearly."""

    lower: GpuClocks
    higher: GpuClocks
    slows_second: bool

    @property
    def factor(self) -> float:
        """The higher clock divided by the lower one."""
        return self.higher.mean_hz / self.lower.mean_hz


def find_clock_gap(a: MeasuredCase, b: MeasuredCase) -> ClockGap | None:
    """Return the gap between the clocks of both sides' slowest GPUs; None without a clear one."""
    left, right = slowest(a), slowest(b)
    if left is None or right is None:
        return None
    slows_second = right.mean_hz < left.mean_hz
    lower, higher = (right, left) if slows_second else (left, right)
    gap = ClockGap(lower, higher, slows_second)
    are_separate = max(lower.seen_hz) < min(higher.seen_hz)
    return gap if gap.factor > 1 + (APART if are_separate else FAR_APART) else None


def can_be_all(gap: ClockGap, a: MeasuredCase, b: MeasuredCase) -> bool:
    """Return True if the lower clock alone could explain that its side is the slower one.

    What waits for multiplications takes longer by as much as the clock is lower. If a side is
    slower by no more than that, it might be the faster one at equal clocks: there is no verdict.
    If it is slower by more, or is the faster one in spite of its clock, the direction holds.
    So it does where the power cap alone lowered the clock, for the limits are the same: then the
    load did that, and would do it again. That is a caution and no refusal.

    Args:
        gap: The gap between their clocks.
        a: A measurement.
        b: Another one.
    """
    if gap.lower.reasons == [POWER_CAP]:
        return False
    slower_by = math.log(estimate(b.steps_s) / estimate(a.steps_s))
    if not gap.slows_second:
        slower_by = -slower_by
    return SEEN < slower_by <= math.log(gap.factor) + SEEN
