"""Power of collectives: how far a GPU that waits in one is loaded, as if it computed."""

from math import fsum
from statistics import fmean

from predict.costs.calibrated import Calibrated, record_of
from predict.costs.power_limit.pace import curves_of, pace_at
from study.results.calibration.layers import LayerAction, PaceName
from study.results.calibration.links import AlternatingTime
from study.results.calibration.record import Calibration

LEAST_SLOWED = 0.02  # of a layer's time by full load; less does not tell how far it is loaded
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
    pair = record_of(calibrated.pair)
    found = [
        (_load(calibrated.layers, slowed, time.busy_share) - time.busy_share)
        / (1 - time.busy_share)
        for time in pair.alternating
        if time.busy_share < 1 and (slowed := _slowed(pair, time)) is not None
    ]
    return fmean(found) if found else 0.0


def _slowed(pair: Calibration, time: AlternatingTime) -> float | None:
    """Return how far layers were slowed, from 0 as after a pause to 1 as under full load."""
    rested, loaded = (_pass_s(pair, time, pace) for pace in ("unthrottled", "sustained"))
    if rested is None or loaded is None or loaded < (1 + LEAST_SLOWED) * rested:
        return None
    return (time.seconds - rested) / (loaded - rested)


def _pass_s(pair: Calibration, time: AlternatingTime, pace: PaceName) -> float | None:
    """Return forward and backward of the same layer on the same GPU at a pace; None without."""
    its: dict[LayerAction, float] = {
        each.action: each.seconds
        for each in pair.each_gpu
        if (each.rank, each.kind, each.rows, each.gradients, each.pace)
        == (time.rank, time.kind, time.rows, time.gradients, pace)
    }
    return fsum(its[action] for action in PASS) if its.keys() >= {*PASS} else None


def _load(times: Calibration, slowed: float, least: float) -> float:
    """Return the smallest load, from `least` on, at which the usual layers are slowed so far."""
    loads = (least + n / LOADS * (1 - least) for n in range(LOADS))
    return next((load for load in loads if pace_at(times, load).limited >= slowed), 1.0)
