"""Seconds of one thing that was timed several times: their median, and how far they spread."""

from collections.abc import Sequence
from math import sqrt
from statistics import quantiles
from typing import Annotated, Any, TypeVar

from msgspec import Meta

from study.results.record import Count, Record, Seconds

# The median of n samples from a normal distribution has a standard error of 1.2533 sigma / sqrt(n),
# and its quartiles are 1.349 sigma apart; 90 % lie within 1.645 standard errors.
OF_QUARTILES = 1.645 * 1.2533 / 1.349
FEWEST = 3  # times whose quartiles say something
BusyShare = Annotated[float, Meta(gt=0, le=1)]  # of the time


class Timing(Record, frozen=True):
    """The median of several times, their first and third quartile, and how many they are."""

    seconds: Seconds
    low_s: Seconds
    high_s: Seconds
    count: Count

    @property
    def half_width_s(self) -> float | None:
        """Half of the 90 % interval of the median, as if normal; None of fewer than 3 times.

        Of 25 times it covers the true median in 85 %, since quartiles of few vary themselves.
        """
        if self.count < FEWEST:
            return None
        return OF_QUARTILES * (self.high_s - self.low_s) / sqrt(self.count)


T = TypeVar("T", bound=Timing)


def timed(entry: type[T], samples: Sequence[float], /, **fields: Any) -> T:
    """Return an entry of this kind.

    Args:
        entry: its class.
        samples: seconds, one at least.
        **fields: what was timed, as the class has it.
    """
    low, middle, high = (
        quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else [samples[0]] * 3
    )
    return entry(seconds=middle, low_s=low, high_s=high, count=len(samples), **fields)
