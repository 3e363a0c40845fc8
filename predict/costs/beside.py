"""Slowing of what a GPU computes while a message is under way on it, and of the message."""

from statistics import fmean, median

from predict.orders.action import KINDS, Kind
from study.results.calibration.links import BesideTime, TransferTime
from study.results.calibration.record import Calibration

MOST = 3.0  # times as long as alone: more is a disturbance


def slowdowns(
    calibration: Calibration | None, beside: tuple[str, ...], rows: int
) -> dict[Kind, float]:
    """Return the factor on each kind of action beside a transfer; empty where it is unknown.

    A transfer takes a part of the GPU, which small products may not need and large ones do, and
    which forward and backward need differently. So the micro-batch counts whose rows come nearest.

    Args:
        calibration: of a pair.
        beside: kinds of transfers (study/results/calibration/links.py), the first that there is.
        rows: of the micro-batch.
    """
    timed = calibration.beside if calibration is not None else ()
    alone = {_of(each): each.seconds for each in timed if each.beside == "nothing"}
    for kind in beside:
        found = [each for each in timed if each.beside == kind and _of(each) in alone]
        if found:
            nearest = min({each.rows for each in found}, key=lambda its: abs(its - rows))
            return _by_kind([each for each in found if each.rows == nearest], alone)
    return {}


def message_factor(calibration: Calibration | None, rows: int) -> float:
    """Return how many times as long a message's bytes take while a GPU of the two computes.

    A transfer that took longer than alone lost so many seconds in those of the layers beside it.

    Args:
        calibration: of a pair; 1 if it has no such transfers.
        rows: of the micro-batch; those that come nearest count.
    """
    timed = calibration.transfers if calibration is not None else ()
    alone = {(t.direction, t.rows): t for t in timed if not t.layers_s}
    shared = [t for t in timed if t.layers_s and (t.direction, t.rows) in alone]
    if not shared:
        return 1.0
    nearest = min({t.rows for t in shared}, key=lambda its: abs(its - rows))
    its = [t for t in shared if t.rows == nearest]
    return median(_stretched(t, alone[t.direction, t.rows]) for t in its)


def _stretched(shared: TransferTime, alone: TransferTime) -> float:
    lost = max(0.0, shared.seconds - alone.seconds) / shared.layers_s
    return 1 / max(1 / MOST, 1 - lost)


def _by_kind(
    found: list[BesideTime], alone: dict[tuple[str, int, int, int], float]
) -> dict[Kind, float]:
    """Return the factors of forward, and of every kind of backward; of one alone, for all."""
    factors: dict[str, list[float]] = {}
    for each in found:
        factors.setdefault(each.action, []).append(each.seconds / alone[_of(each)])
    forward = factors.get("forward") or factors["backward_later"]
    backward = factors.get("backward_later") or forward
    return {kind: max(1.0, fmean(forward if kind == "forward" else backward)) for kind in KINDS}


def _of(each: BesideTime) -> tuple[str, int, int, int]:
    return each.action, each.kind, each.layers, each.rows
