"""Medians over rounds and their 95 % confidence intervals, by order statistics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from statistics import median


@dataclass(frozen=True)
class Measured:
    """A median over rounds, and the interval of it; no interval for fewer than 6 rounds."""

    value: float
    interval: tuple[float, float] | None

    def words(self, write: Callable[[float], str]) -> str:
        """Return `1.2 (1.1 to 1.3)`.

        Args:
            write: makes a number a text.
        """
        if self.interval is None:
            return f"{write(self.value)} (too few rounds)"
        return f"{write(self.value)} ({write(self.interval[0])} to {write(self.interval[1])})"

    @property
    def is_clear(self) -> bool:
        """Return whether the interval leaves out 0."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


def measured(values: Sequence[float]) -> Measured:
    """Return the median of rounds, with the narrowest symmetric range that covers it in 95 %.

    Of n independent rounds the k-th smallest and largest leave out the true median with
    2 P(Binomial(n, 1/2) < k), whatever the distribution.
    """
    ranked, n = sorted(values), len(values)
    below, rank = 0.0, 0
    for k in range(n // 2):
        below += comb(n, k) / 2**n
        if 2 * below > 0.05:
            break
        rank = k + 1
    interval = (ranked[rank - 1], ranked[n - rank]) if rank else None
    return Measured(median(ranked), interval)
