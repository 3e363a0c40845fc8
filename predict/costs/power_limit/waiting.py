"""Load of a GPU that waits in a collective, as a part of that of computing."""

from collections.abc import Iterable
from functools import lru_cache
from math import fsum
from statistics import fmean

from predict.costs.calibrated import Calibrated, record_of
from predict.costs.power_limit.pace import (
    ALWAYS,
    LEAST_SLOWED,
    curves_of,
    pace_at,
    seconds_at,
)
from study.results.calibration.layers import LayerAction, LayerTime, PaceName
from study.results.calibration.links import AlternatingTime
from study.results.calibration.record import Calibration

# Of a layer's time: timed again it may differ by as much, up or down. Under loads of a half and of
# three quarters it hardly differs by more, so that no single load fits, but a range.
EXACT = 0.005
MOST_BUSY = 0.9  # of the time; waits of the rest are too short to tell what they do
LOADS = 200  # that are tried
PASS: tuple[LayerAction, ...] = ("forward", "backward_later")


def load_of_waiting(calibrated: Calibrated) -> float:
    """Return which part of a wait in a collective loads a GPU as computing does, 0 to 1.

    From layers between all-reduces on the GPUs of a pair: they were slowed as far as the same
    layers are at some load, of which computing is a part and waiting the rest. 0, which is how a
    GPU without NCCL waits, where that was not measured or power limits do not slow these layers.

    Args:
        calibrated: the times; those of a pair have the layers between all-reduces.
    """
    if calibrated.pair is None or not curves_of(calibrated.layers):
        return 0.0
    return _load_of_waiting(calibrated.layers, record_of(calibrated.pair))


@lru_cache(maxsize=64)  # the same for all cases that these calibrations fit
def _load_of_waiting(one: Calibration, pair: Calibration) -> float:
    found = [
        (fmean(_load(one, each, time.busy_share) for each in slowed) - time.busy_share)
        / (1 - time.busy_share)
        for time in pair.alternating
        if time.busy_share <= MOST_BUSY and (slowed := _slowed(one, pair, time)) is not None
    ]
    return fmean(found) if found else 0.0


def _slowed(
    one: Calibration, pair: Calibration, time: AlternatingTime
) -> tuple[float, float] | None:
    """Return how far layers were slowed at least and at most; None where that is unknown.

    From 0 as after a pause to 1 as under full load.

    Args:
        one: the calibration of one GPU.
        pair: that of the GPUs on which the layers ran.
        time: of layers between all-reduces.
    """
    its = [each for each in pair.each_gpu if each.rank == time.rank]
    key = time.kind, time.rows, time.gradients
    rested, loaded = _pass_s(its, key, "unthrottled"), _pass_s(its, key, "sustained")
    if rested is None or loaded is None:
        return None
    of_rested, of_loaded = _of_whole_passes(one, time.gradients)
    rested, loaded = of_rested * rested, of_loaded * loaded
    if loaded < (1 + LEAST_SLOWED) * rested:
        return None
    slowed, exact = (time.seconds - rested) / (loaded - rested), EXACT * rested / (loaded - rested)
    return slowed - exact, slowed + exact


def _of_whole_passes(one: Calibration, gradients: str) -> tuple[float, float]:
    """Return how much longer whole passes take than their actions, after a pause and under load.

    Layers between all-reduces are timed as those under a load are: pass by pass, and on a GPU that
    is as warm. On an H100 such passes took 1.007 and 0.97 times as long as the sums of actions that
    were timed one by one: a difference as of half a load.

    Args:
        one: the calibration of one GPU, which has both.
        gradients: of the actions.
    """
    for times in curves_of(one):
        first = times[0]
        key = first.kind, first.rows, gradients
        whole = [time for time in one.layers if time.shares == 1]
        rested, loaded = _pass_s(whole, key, "unthrottled"), _pass_s(whole, key, "sustained")
        if rested is not None and loaded is not None:
            here = [seconds_at(times, load) / first.layers for load in (0.0, ALWAYS)]
            return here[0] / rested, here[1] / loaded
    return 1.0, 1.0


def _pass_s(times: Iterable[LayerTime], key: tuple[int, int, str], pace: PaceName) -> float | None:
    """Return forward and backward of a layer at a pace; None where one is not among the times.

    Args:
        times: of layers on one GPU.
        key: the layer's kind, its rows, and its way of gradients.
        pace: of its times.
    """
    its: dict[LayerAction, float] = {
        each.action: each.seconds
        for each in times
        if (each.kind, each.rows, each.gradients, each.pace) == (*key, pace)
    }
    return fsum(its[action] for action in PASS) if its.keys() >= {*PASS} else None


def _load(times: Calibration, slowed: float, least: float) -> float:
    """Return the smallest load, from `least` on, at which the usual layers are slowed so far."""
    loads = (least + n / LOADS * (1 - least) for n in range(LOADS))
    return next((load for load in loads if pace_at(times, load).limited >= slowed), 1.0)
