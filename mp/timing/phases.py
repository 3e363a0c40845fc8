"""The phases of a case, timed while its progress is reported."""

import os
import time
from collections import defaultdict
from collections.abc import Callable

from study.results.phases import PHASE_NAMES, PhaseName, PhaseTime
from study.storage.progress import Progress

OF_PROGRESS: dict[str, PhaseName] = {
    "check copies": "checks",
    "check against the unsplit model": "checks",
    "check a graph against eager steps": "checks",
    "profile the layers": "profile",
    "matrix products": "products",
    "build": "drawing",
    "observe transfers": "first step",
    "warm-up": "warm-up",
    "timing": "timing",
    "where the time goes": "instruments",
    "calibrate memory": "profile",
    "calibrate the host": "timing",
    "calibrate layers": "timing",
    "calibrate updates": "timing",
    "calibrate layers under load": "timing",
    "calibrate messages": "timing",
    "calibrate layers on each GPU": "timing",
    "calibrate layers between all-reduces": "timing",
    "calibrate layers beside transfers": "timing",
    "calibrate collectives": "timing",
}


class PhaseClock:
    """Passes on the progress of a case, and times its phases.

    Args:
        report: told of every progress.
        since_start_s: seconds that this process has run for the case, in which it imported what it
            needs; None where that is not known.
    """

    def __init__(
        self, report: Callable[[Progress], None], since_start_s: float | None = None
    ) -> None:
        self.report = report
        self.seconds: dict[PhaseName, float] = defaultdict(float)
        if since_start_s is not None:
            self.seconds["imports"] = since_start_s
        self.now: PhaseName = "imports"
        self.since = time.perf_counter()

    def __call__(self, progress: Progress) -> None:
        """Pass on the progress, and begin the phase that it names, if it is another."""
        self.enter(OF_PROGRESS.get(progress.phase, self.now))
        self.report(progress)

    def enter(self, name: PhaseName) -> None:
        """Begin a phase, or go on with it."""
        now = time.perf_counter()
        self.seconds[self.now] += now - self.since
        self.now, self.since = name, now

    def phases(self) -> tuple[PhaseTime, ...]:
        """Return the phases so far, in the order of a case."""
        self.enter(self.now)
        seconds = dict(self.seconds)
        return tuple(PhaseTime(name=n, seconds=seconds[n]) for n in PHASE_NAMES if n in seconds)


def since_process_start_s() -> float:
    """Return the seconds since this process was started, Python's own start included."""
    with open("/proc/self/stat", encoding="ascii", errors="replace") as stat:
        ticks = int(stat.read().rpartition(")")[2].split()[19])  # proc(5): starttime
    started_s = ticks / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started_s)
