"""Seconds of computing, and how well they are known."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum, hypot

from predict.costs.power_limit.pace import Pace
from study.results.calibration.timing import Timing


@dataclass(frozen=True)
class Work:
    """Computing of a GPU, as counts of what a calibration timed.

    Attributes:
        counts: how many times each timing is in it.
    """

    counts: dict[Timing, float]

    @classmethod
    def of(cls, timings: Iterable[Timing]) -> "Work":
        """Return the work of these, one after another."""
        counts: dict[Timing, float] = {}
        for timing in timings:
            counts[timing] = counts.get(timing, 0) + 1
        return cls(counts)

    def __add__(self, other: "Work") -> "Work":
        counts = dict(self.counts)
        for timing, count in other.counts.items():
            counts[timing] = counts.get(timing, 0) + count
        return Work(counts)

    def times(self, factor: float) -> "Work":
        """Return so many of it."""
        return Work({timing: count * factor for timing, count in self.counts.items()})

    @property
    def seconds(self) -> float:
        """The sum of the medians."""
        return self.at(Pace())

    def at(self, pace: Pace) -> float:
        """Return the sum of the medians at a pace."""
        return fsum(n * t.seconds * pace.of(t) for t, n in self.counts.items())

    @property
    def half_width_s(self) -> float:
        """Half of the 90 % interval of the sum; timings are off independently of one another."""
        return hypot(*(n * (t.half_width_s or 0.0) for t, n in self.counts.items()))


NOTHING = Work({})
