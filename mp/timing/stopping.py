"""Rules that end warm-up and timed steps."""

import math
from collections.abc import Sequence
from statistics import median
from typing import Literal

from study.case import Case
from study.statistics.bootstrap import interval
from study.statistics.samples import Interval, estimate, quartiles

StoppedBy = Literal["converged", "steps", "time_limit"]

WINDOW_STEPS = 5
WINDOW_S = 0.5  # a GPU takes some 100 ms to raise its clocks, and longer to settle
STEADY = 0.01
MIN_STEPS = 3  # whatever the time limit
FIRST_LOOK = 30  # steps before the first interval: a narrow one of few steps may be luck.
# One of a few seconds knows nothing of levels that last for seconds, and a run that may end because
# its interval is narrow ends where it is wrong (docs/measuring.md has how often).
FIRST_LOOK_S = 20.0
LOOK_AGAIN = 1.25  # times as many steps; looking takes time, and looking often finds luck


def is_steady(times: Sequence[float]) -> bool | None:
    """Return whether two windows of step times (seconds) agree; None where they do not fit in.

    The newer median must lie within the older window's quartiles or within 1 % of its median. After
    pyperf, which calibrates its warm-up by comparing two windows in this way.
    """
    if len(times) < 2 * WINDOW_STEPS:
        return None
    size = max(WINDOW_STEPS, math.ceil(WINDOW_S / median(times[-WINDOW_STEPS:])))
    if len(times) < 2 * size:
        return None
    older, newer = times[-2 * size : -size], median(times[-size:])
    low, high = quartiles(older)
    return low <= newer <= high or abs(newer / median(older) - 1) <= STEADY


class WarmupRule:
    """Ends warm-up once it is steady, or after as many steps or seconds as the case allows."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def __call__(
        self, times: Sequence[float], elapsed_s: float
    ) -> Literal["steady", "limit"] | None:
        """Return the reason to stop after these step times (seconds), or None to go on."""
        if len(times) % WINDOW_STEPS == 0 and is_steady(times):
            return "steady"
        is_long = len(times) >= self.case.warmup_steps or elapsed_s >= self.case.time_limit_s / 2
        return "limit" if is_long else None


class StoppingRule:
    """Ends the timed steps of a case once their median is known well enough.

    The 95 % interval of the median is computed after 30 steps and 20 seconds, and again each time
    there are a quarter more steps. A run that is limited to 20 seconds takes them whatever it
    finds, so that its length says nothing of its interval (benchmarks/coverage.py).
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.next_look = FIRST_LOOK

    def __call__(self, times: Sequence[float], elapsed_s: float) -> StoppedBy | None:
        """Return the reason to stop after these step times (seconds), or None to go on."""
        if self._looks(len(times), elapsed_s) and self.is_narrow(times, interval([times])):
            return "converged"
        if len(times) >= self.case.steps:
            return "steps"
        if len(times) >= MIN_STEPS and elapsed_s >= self.case.time_limit_s:
            return "time_limit"
        return None

    def _looks(self, steps: int, elapsed_s: float) -> bool:
        if self.case.ci_half_width == 0 or steps < self.next_look or elapsed_s < FIRST_LOOK_S:
            return False
        self.next_look = math.ceil(steps * LOOK_AGAIN)
        return True

    def is_narrow(self, times: Sequence[float], found: Interval | None) -> bool:
        """Return whether the interval is as narrow as the case asks for."""
        if found is None:
            return False
        return found.half_width(estimate([times])) <= self.case.ci_half_width
