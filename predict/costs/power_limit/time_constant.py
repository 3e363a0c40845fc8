"""Time constant of a power limit: how far it looks back on the load of a GPU."""

from collections.abc import Iterable
from functools import lru_cache
from math import fsum

from predict.costs.power_limit.pace import (
    ALWAYS,
    LEAST_SLOWED,
    curves_of,
    seconds_at,
    seconds_under,
)
from predict.costs.power_limit.recent_load import recent_loads
from study.results.calibration.layers import BurstTime, LoadedTime
from study.results.calibration.record import Calibration

CONSTANTS_S = tuple(0.002 * 2 ** (n / 4) for n in range(41))  # 2 ms to 2 s


@lru_cache(maxsize=64)  # the same for all cases that this calibration fits
def time_constant_s(calibration: Calibration) -> float | None:
    """Return the time constant that explains best how bursts were slowed; None if it is unknown.

    A GPU that computes in short whiles for half of the time is hardly slowed. One that computes as
    much in long whiles is, and the more, the shorter the limit looks back. Of layers that full load
    does not slow, nothing is known.

    Args:
        calibration: of one GPU.
    """
    known = [
        (burst, times)
        for times in curves_of(calibration)
        if seconds_at(times, ALWAYS) >= (1 + LEAST_SLOWED) * seconds_at(times, 0.0)
        for burst in calibration.bursts
        if (burst.kind, burst.layers, burst.rows) == _of(times)
    ]
    if not known:
        return None
    return min(CONSTANTS_S, key=lambda constant_s: _error(known, constant_s))


def _error(known: Iterable[tuple[BurstTime, list[LoadedTime]]], constant_s: float) -> float:
    """Return the sum of squared errors, as shares of the measured times."""
    return fsum((_seconds(*each, constant_s) / each[0].seconds - 1) ** 2 for each in known)


def _seconds(burst: BurstTime, times: list[LoadedTime], constant_s: float) -> float:
    period_s = burst.burst_s / burst.busy_share
    return seconds_under(times, recent_loads([(0.0, burst.burst_s)], period_s, constant_s))


def _of(times: list[LoadedTime]) -> tuple[int, int, int]:
    return times[0].kind, times[0].layers, times[0].rows
