"""Time that is shared out: who measures how long, and rounds that all ranks end together."""

from collections.abc import Iterator
from time import perf_counter

from mp.engine import Communicator

FEWEST, MOST = 3, 60  # rounds of one measurement
OVERTIME = {"cuda": 1.5, "cpu": 20.0}  # times the limit, after which nothing new begins


class Slots:
    """So many measurements, each of which gets an equal part of the time that is left.

    Args:
        seconds: for all of them.
        count: how many there are.
    """

    def __init__(self, seconds: float, count: int) -> None:
        self.began_s = perf_counter()
        self.seconds, self.left = seconds, count

    def next(self) -> float:
        """Return the seconds of the next measurement; few or none if those before took longer."""
        left_s = self.began_s + self.seconds - perf_counter()
        self.left -= 1
        return max(0.0, left_s / (self.left + 1))


class Deadline:
    """The moment after which nothing new begins.

    Args:
        limit_s: seconds of the case; what holds GPUs may be late by half of it.
        world: all ranks, of which the first decides.
    """

    def __init__(self, limit_s: float, world: Communicator) -> None:
        self.began_s = perf_counter()
        self.limit_s, self.world = limit_s, world

    @property
    def passed_s(self) -> float:
        """The seconds since it was made."""
        return perf_counter() - self.began_s

    def left_s(self, share: float) -> float:
        """Return a share of the time that is left, at least a hundredth of the limit."""
        return max(share * (self.limit_s - self.passed_s), 0.01 * self.limit_s)

    def is_over(self) -> bool:
        """Return whether it is too late to begin anything; all ranks ask together."""
        overtime = OVERTIME[self.world.devices.real[0].type]
        return self.world.broadcast(self.passed_s > overtime * self.limit_s, bool)


def rounds(world: Communicator, seconds: float, most: int = MOST) -> Iterator[int]:
    """Yield the numbers of rounds until the time is over; all ranks go on or end together.

    Args:
        world: all ranks.
        seconds: after which no round begins.
        most: rounds in any case.
    """
    began = perf_counter()
    for number in range(most):
        goes_on = number < FEWEST or perf_counter() - began < seconds
        if not world.broadcast(goes_on, bool):
            return
        yield number
