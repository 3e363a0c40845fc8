"""Pace of a GPU that computes part of the time, beside one that computes all the time."""

from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from study.results.calibration.layers import LayerTime, LoadedTime
from study.results.calibration.record import Calibration
from study.results.calibration.timing import Timing

ALWAYS = 1.0  # of the time


@dataclass(frozen=True)
class Pace:
    """The seconds of computing on a busy GPU, over those that were calibrated.

    Attributes:
        sustained: of times that were taken under load.
        unthrottled: of times that were taken after a pause.
    """

    sustained: float = 1.0
    unthrottled: float = 1.0

    def of(self, timing: Timing) -> float:
        """Return the factor on what was timed."""
        is_rested = isinstance(timing, LayerTime) and timing.pace == "unthrottled"
        return self.unthrottled if is_rested else self.sustained


def pace_at(calibration: Calibration, busy_share: float) -> Pace:
    """Return the pace of a GPU that computes for a share of the time.

    One that waits in between keeps a higher clock under its power limit. A share is compared with
    computing always, and for times after a pause with the least that was measured. Both are 1 where
    no shares were measured.

    Args:
        calibration: of one GPU.
        busy_share: 0 to 1.
    """
    alike: dict[tuple[int, int, int], list[LoadedTime]] = {}
    for time in calibration.loaded:
        alike.setdefault((time.kind, time.layers, time.rows), []).append(time)
    sets = [times for times in alike.values() if len({time.busy_share for time in times}) > 1]
    if not sets:
        return Pace()
    here = [_between(times, busy_share) for times in sets]
    loaded = [_between(times, ALWAYS) for times in sets]
    rested = [_between(times, 0.0) for times in sets]
    return Pace(_ratio(here, loaded), _ratio(here, rested))


def _ratio(these: list[float], those: list[float]) -> float:
    return median(a / b for a, b in zip(these, those, strict=True))


def _between(times: list[LoadedTime], share: float) -> float:
    """Return the seconds at a share, on the line between its neighbours; flat beyond the ends."""
    ordered = sorted(times, key=lambda time: time.busy_share)
    if share <= ordered[0].busy_share:
        return ordered[0].seconds
    for low, high in pairwise(ordered):
        if share <= high.busy_share:
            part = (share - low.busy_share) / (high.busy_share - low.busy_share)
            return low.seconds + part * (high.seconds - low.seconds)
    return ordered[-1].seconds
