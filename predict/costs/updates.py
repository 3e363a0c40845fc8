"""Seconds of what a step does with all parameters of a GPU: scaling of gradients, the optimizer."""

from typing import Literal

from predict.costs.lines import points_of, seconds_at
from predict.costs.refusal import not_calibrated
from study.results.calibration.record import Calibration


def update_s(
    calibration: Calibration, action: Literal["optimizer", "scaling"], size: float
) -> float:
    """Return the seconds of one action on parameters of some size.

    Args:
        calibration: of one GPU.
        action: what is done.
        size: bytes of the parameters.

    Raises:
        Unpredictable: it was not calibrated.
    """
    if not size:
        return 0.0
    for pace in ("sustained", "unthrottled"):
        timed = [
            (float(update.bytes), update.seconds)
            for update in calibration.updates
            if update.action == action and update.pace == pace and update.bytes
        ]
        if timed:
            return seconds_at(points_of(timed), size)
    what = "the optimizer" if action == "optimizer" else "scaling of gradients"
    left_out = calibration.left_out
    why = f"{what} was not calibrated"
    raise not_calibrated(why, left_out, lambda said: "optimizer" in said, "calibrate again")
