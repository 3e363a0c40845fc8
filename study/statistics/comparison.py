"""The verdict on two step times: the ratio of their medians and its interval."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from study.statistics.digits import (
    factor_and_interval,
    interval_of_ratio,
    percent_and_interval,
    percent_rounded_up,
    short_percent,
)

Kind = Literal["faster", "slower", "same", "undecided"]

NOTICEABLE = 0.005  # a smaller difference is none, however certain: the gap that nvbench uses
SAME = 0.02  # a ratio known to be this near to 1 is as good as 1
USELESS = 0.5  # nobody repeats jobs for a difference beyond
FACTOR = 1.5  # from here on a factor says more than a percentage


class Repeats(NamedTuple):
    """As many jobs of each case find this difference (a share) in nine of ten attempts."""

    jobs: int
    difference: float


@dataclass(frozen=True)
class Comparison:
    """The step time of b divided by that of a, and its 95 % confidence interval.

    `jobs` counts those of a and b, and `repeats` says how many would tell; None if nobody knows.
    """

    ratio: float
    low: float
    high: float
    jobs: tuple[int, int] | None = None
    repeats: Repeats | None = None

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
        if self.kind == "same":
            return self._no_difference(a, b)
        if self.kind == "undecided":
            return self._open(a, b, plural)
        return self._difference(a, b, plural)

    @property
    def names_a_first(self) -> bool:
        """True where `words` name a before b, as two that do not differ; else b comes first."""
        return self.kind == "same" or (self.kind == "undecided" and self._holds_one)

    def _no_difference(self, a: str, b: str) -> str:
        sure = "detectable difference" if self._holds_one else "difference that matters"
        within = f"within ±{percent_rounded_up(self._farthest)}"
        repeats = self._what_repeats_show if self._holds_one else ""
        return f"no {sure} between {a} and {b} ({within}{repeats})"

    def _open(self, a: str, b: str, plural: bool) -> str:
        interval = f"({interval_of_ratio(self.low, self.high)}{self._what_repeats_show})"
        if self._holds_one:
            return f"{a} and {b} cannot be told apart{self._from_jobs} {interval}"
        more = "more" if self.ratio > 1 else "less"
        takes = f"{b} {'take' if plural else 'takes'} {more} time than {a}"
        return f"{takes}, but whether enough to matter cannot be told{self._from_jobs} {interval}"

    def _difference(self, a: str, b: str, plural: bool) -> str:
        takes = "take" if plural else "takes"
        if self.ratio >= FACTOR:
            factor, interval = factor_and_interval(self.ratio, self.low, self.high)
            return f"{b} {takes} {factor} times as long as {a} {interval}"
        if self.ratio <= 1 / FACTOR:
            factor, interval = factor_and_interval(1 / self.ratio, 1 / self.high, 1 / self.low)
            return f"{b} {'are' if plural else 'is'} {factor} times as fast as {a} {interval}"
        ends = sorted(abs(end - 1) for end in (self.low, self.high))
        percent, interval = percent_and_interval(abs(self.ratio - 1), *ends)
        more = "more" if self.kind == "slower" else "less"
        return f"{b} {takes} {percent} {more} time than {a} {interval}"

    @property
    def _farthest(self) -> float:
        """The distance from 1 that the ratio may have."""
        return max(1 - self.low, self.high - 1)

    @property
    def _holds_one(self) -> bool:
        """True if the two may take equally long."""
        return self.low <= 1 <= self.high

    @property
    def _from_jobs(self) -> str:
        """The number of jobs that were too few, if it is known."""
        if self.jobs is None:
            return ""
        a, b = self.jobs
        if a != b:
            return f" by {min(a, b)} and {max(a, b)} jobs"
        return " by one job each" if a == 1 else f" by {a} jobs each"

    @property
    def _what_repeats_show(self) -> str:
        """The number of jobs that would tell, where there are fewer and it is not told yet."""
        if self.jobs is None or self.repeats is None or self.repeats.jobs <= min(self.jobs):
            return ""
        if self._farthest <= self.repeats.difference or self.repeats.difference > USELESS:
            return ""
        shown = short_percent(self.repeats.difference)
        return f"; {self.repeats.jobs} jobs each would show a difference of {shown}"
