"""The verdict on two step times: the ratio of their medians and its interval."""

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["faster", "slower", "same", "undecided"]

NOTICEABLE = 0.005  # a smaller difference is none, however certain: the gap that nvbench uses
SAME = 0.02  # a ratio known to be this near to 1 is as good as 1
FACTOR = 1.25  # from here on, "33 % faster" could be read as 1.33 or as 1.5 times as fast


@dataclass(frozen=True)
class Comparison:
    """The step time of b divided by that of a, and its 95 % confidence interval."""

    ratio: float
    low: float
    high: float

    @property
    def kind(self) -> Kind:
        """The verdict on b beside a."""
        if not self.low <= 1 <= self.high and abs(self.ratio - 1) >= NOTICEABLE:
            return "slower" if self.ratio > 1 else "faster"
        return "same" if self._farthest <= SAME else "undecided"

    def words(self, a: str, b: str, plural: bool = False) -> str:
        """Return the verdict as a sentence without its stop; percents are of a's step time.

        Args:
            a: the name of the one that b is compared to.
            b: the name of the other.
            plural: whether b is several.
        """
        low, high = self.low - 1, self.high - 1
        match self.kind:
            case "same":
                sure = "detectable difference" if low <= 0 <= high else "difference that matters"
                within = f"within ±{_rounded_up(self._farthest):.1f} %"
                return f"no {sure} between {a} and {b} ({within})"
            case "undecided":
                signed = f"95 % CI {_signed(low)} to {_signed(high)} %"
                return f"{a} and {b} cannot be told apart ({signed})"
            case "slower" if self.ratio >= FACTOR:
                takes = "take" if plural else "takes"
                times = _times(self.ratio, self.low, self.high, f"long as {a}")
                return f"{b} {takes} {times}"
        is_ = f"{b} {'are' if plural else 'is'}"
        if self.ratio <= 1 / FACTOR:
            return f"{is_} {_times(1 / self.ratio, 1 / self.high, 1 / self.low, f'fast as {a}')}"
        if self.kind == "faster":
            low, high = -high, -low
        by = f"{100 * abs(self.ratio - 1):.1f} % {self.kind} than {a}"
        return f"{is_} {by} (95 % CI {100 * low:.1f} to {100 * high:.1f} %)"

    @property
    def _farthest(self) -> float:
        """The distance from 1 that the ratio may have."""
        return max(1 - self.low, self.high - 1)


def _times(factor: float, low: float, high: float, word: str) -> str:
    return f"{factor:.2f} times as {word} (95 % CI {low:.2f} to {high:.2f})"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def _rounded_up(share: float) -> float:
    """Percent, to the next tenth, so that no ratio of the interval lies beyond."""
    return math.ceil(round(1000 * share, 6)) / 10
