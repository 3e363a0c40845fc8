"""Pace of a GPU that computes part of the time, beside one that computes all the time."""

from itertools import pairwise
from statistics import median

from study.results.calibration.layers import LoadedTime
from study.results.calibration.record import Calibration


def pace_at(calibration: Calibration, busy_share: float) -> float:
    """Return the seconds of computing at a share of the time, over those all the time.

    A GPU that waits in between keeps a higher clock under its power limit. 1 where that was not
    measured.

    Args:
        calibration: of one GPU.
        busy_share: 0 to 1.
    """
    alike: dict[tuple[int, int, int], list[LoadedTime]] = {}
    for time in calibration.loaded:
        alike.setdefault((time.kind, time.layers, time.rows), []).append(time)
    paces = [
        _between(times, busy_share) / _between(times, 1.0)
        for times in alike.values()
        if len({time.busy_share for time in times}) > 1
    ]
    return median(paces) if paces else 1.0


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
