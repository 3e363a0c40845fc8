"""Load of a GPU in the time just past, which is what its power limit goes by."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, exp

PIECES = 4  # of a time constant, within which the load counts as its middle
RISING = 8  # time constants, after which the load is what it will be: exp(-8) is 0.0003


@dataclass(frozen=True)
class Stretch:
    """A while in which a GPU computes.

    Attributes:
        seconds: how long.
        load: the share of the time just past, 0 to 1, in which it computed.
    """

    seconds: float
    load: float


def recent_loads(
    computes: Iterable[tuple[float, float]], step_s: float, constant_s: float, share: float = 1.0
) -> list[Stretch]:
    """Return the loads of a GPU while it computes, in a step that is repeated again and again.

    The load is an exponential moving average: dL/dt = (x - L) / constant_s, where x is `share`
    while it computes, and 0 while it waits.

    Args:
        computes: when it begins and ends to compute, in order, in seconds from the step's start.
        step_s: the length of the step.
        constant_s: the time constant of the average.
        share: of the time in which it computes that counts, 0 to 1.
    """
    whiles = list(_whiles(computes, step_s))
    load, found = _at_start(whiles, constant_s, share), list[Stretch]()
    for seconds, is_busy in whiles:
        if not is_busy:
            load *= exp(-seconds / constant_s)
            continue
        for piece_s in _pieces(seconds, constant_s):
            middle = share + (load - share) * exp(-piece_s / 2 / constant_s)
            found.append(Stretch(piece_s, middle))
            load = share + (load - share) * exp(-piece_s / constant_s)
    return found


def _pieces(seconds: float, constant_s: float) -> list[float]:
    """Cut a while into pieces in which the load hardly changes; the last may be long."""
    rising_s = min(seconds, RISING * constant_s)
    count = ceil(PIECES * rising_s / constant_s)
    rest_s = seconds - rising_s
    return [rising_s / count] * count + [rest_s] * (rest_s > 0)


def _whiles(computes: Iterable[tuple[float, float]], step_s: float) -> Iterator[tuple[float, bool]]:
    """Yield how long each while of the step lasts, and whether the GPU computes."""
    now = 0.0
    for begins, ends in computes:
        if begins > now:
            yield begins - now, False
        if ends > max(begins, now):
            yield ends - max(begins, now), True
        now = max(now, ends)
    if step_s > now:
        yield step_s - now, False


def _at_start(whiles: list[tuple[float, bool]], constant_s: float, share: float) -> float:
    """Return the load at the start of a step that comes after many like it."""
    load, kept = 0.0, 1.0  # of a start at 0, and the part of another start that is left
    for seconds, is_busy in whiles:
        decay = exp(-seconds / constant_s)
        target = share if is_busy else 0.0
        load, kept = target + (load - target) * decay, kept * decay
    return load / (1 - kept)
