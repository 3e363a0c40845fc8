"""Slowing of what a GPU computes while a message or a collective is under way on it."""

from statistics import fmean

from predict.orders.action import KINDS, Kind
from study.results.calibration.links import BesideTime
from study.results.calibration.record import Calibration


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
