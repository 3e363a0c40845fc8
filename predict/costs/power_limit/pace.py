"""Pace of a GPU whose work takes part of the time, between a rested GPU and one under load."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum
from statistics import median

from predict.costs.gpus import ALIKE, Slowness
from predict.costs.power_limit.recent_load import Stretch
from study.results.calibration.layers import LayerTime, LoadedTime
from study.results.calibration.record import Calibration
from study.results.calibration.timing import Timing

ALWAYS = 1.0  # of the time
LEAST_SLOWED = 0.02  # of a layer's time by full load; less tells nothing of other loads


class PacedTime(LayerTime, frozen=True, kw_only=True):
    """A layer's time under load, and what the same took after a pause."""

    rested_s: float


@dataclass(frozen=True)
class Pace:
    """The slowing of a GPU by its power limit.

    Attributes:
        limited: 0 for a rested GPU, 1 for one that computes all the time. A layer's time lies so
            far between its own two: products are slowed, and what waits for memory is not.
        sustained: the factor on a time under load that has no other.
        unthrottled: the factor on a time after a pause that has no other.
        gpu: how many times as long products take as on the GPU that was calibrated.
        slowed: the part of the usual layers' time under load by which the limit makes it longer.
    """

    limited: float = 1.0
    sustained: float = 1.0
    unthrottled: float = 1.0
    gpu: float = 1.0
    slowed: float = 0.0

    def of(self, timing: Timing) -> float:
        """Return the factor on what was timed."""
        if isinstance(timing, PacedTime):
            rested = timing.rested_s / timing.seconds
            products = min(1.0, (1 - rested) / self.slowed) if self.slowed > 0 else 1.0
            return (rested + self.limited * (1 - rested)) * (1 + products * (self.gpu - 1))
        is_rested = isinstance(timing, LayerTime) and timing.pace == "unthrottled"
        return (self.unthrottled if is_rested else self.sustained) * self.gpu


def pace_at(
    calibration: Calibration, load: float | Sequence[Stretch], slowness: Slowness = ALIKE
) -> Pace:
    """Return the pace of a GPU whose work, with nothing beside it, takes a share of the time.

    One that waits in between keeps a higher clock under its power limit, and so does one whose
    products a transfer slows: both draw less. A share is compared with computing always, and with
    the least that was measured. Nothing changes where no shares were measured.

    Args:
        calibration: of one GPU.
        load: 0 to 1; or the whiles in which it computes, each with the load just before.
        slowness: of the GPU, beside the one that was calibrated.
    """
    curves = curves_of(calibration)
    if not curves:
        return Pace(gpu=slowness.at(ALWAYS))
    stretches = [Stretch(1.0, load)] if isinstance(load, float | int) else load
    here = [seconds_under(times, stretches) for times in curves]
    loaded = [seconds_at(times, ALWAYS) for times in curves]
    rested = [seconds_at(times, 0.0) for times in curves]
    slower, slowest = _ratio(here, rested) - 1, _ratio(loaded, rested) - 1
    limited = min(1.0, max(0.0, slower / slowest)) if slowest > 0 else 1.0
    return Pace(
        limited,
        _ratio(here, loaded),
        1 + slower,
        slowness.at(limited),
        max(0.0, slowest / (1 + slowest)),
    )


def curves_of(calibration: Calibration) -> list[list[LoadedTime]]:
    """Return the times of the same layers under different loads, for each set of layers."""
    alike: dict[tuple[int, int, int], list[LoadedTime]] = {}
    for time in calibration.loaded:
        alike.setdefault((time.kind, time.layers, time.rows), []).append(time)
    return [times for times in alike.values() if len({time.busy_share for time in times}) > 1]


def seconds_under(times: list[LoadedTime], stretches: Sequence[Stretch]) -> float:
    """Return the mean seconds of what is computed in these whiles."""
    whole_s = fsum(each.seconds for each in stretches)
    return fsum(each.seconds * seconds_at(times, each.load) for each in stretches) / whole_s


def seconds_at(times: list[LoadedTime], share: float) -> float:
    """Return the seconds at a share, on the line between its neighbours; flat beyond the ends."""
    ordered = sorted(times, key=lambda time: time.busy_share)
    if share <= ordered[0].busy_share:
        return ordered[0].seconds
    for low, high in pairwise(ordered):
        if share <= high.busy_share:
            part = (share - low.busy_share) / (high.busy_share - low.busy_share)
            return low.seconds + part * (high.seconds - low.seconds)
    return ordered[-1].seconds


def _ratio(these: list[float], those: list[float]) -> float:
    return median(a / b for a, b in zip(these, those, strict=True))
