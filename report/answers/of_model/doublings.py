"""The share of a doubled speed that twice the GPUs give, with its interval, and what it pays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from report.analysis.comparison import cautions, is_disturbed, verdict
from report.analysis.speedup import why_not_ranked
from report.analysis.verdicts.rough import rough_digits
from report.answers.scaling import simplest
from report.data.measured import MeasuredCase
from report.wording.cautions import mark
from report.wording.units import count_of

LEAST = 0.8  # of a doubled speed; a doubling that gives less is said not to pay


@dataclass(frozen=True)
class Doubling:
    """The fastest case on some GPUs, and the fastest on twice as many.

    Attributes:
        few: The former.
        many: The latter.
        problem: Why they must not be compared; None if they may be.
    """

    few: MeasuredCase
    many: MeasuredCase
    problem: str | None

    @property
    def kind(self) -> Literal["less", "enough", "open"]:
        """Say whether it gives less than `LEAST`, at least that, or nobody knows."""
        if self.problem is not None or self.is_rough:
            return "open"
        low, high = self._interval
        return "less" if high < LEAST else "enough" if low >= LEAST else "open"

    @property
    def is_rough(self) -> bool:
        """True if something disturbed a side, so that the share's size is not to be trusted."""
        return self.problem is None and is_disturbed(self.few, self.many)

    @property
    def counts(self) -> str:
        """`1 to 2`."""
        return f"{self.few.case.gpus} to {self.many.case.gpus}"

    @property
    def seems_enough(self) -> bool:
        """True if it gives at least `LEAST`, or does so as measured where nobody knows."""
        if self.problem is not None or self.kind != "open":
            return self.kind == "enough"
        return self._share >= LEAST

    @property
    def share(self) -> str:
        """Return `71.0 % (95 % CI 69.5 to 72.4 %)` with its cautions; there must be no problem."""
        if self.is_rough:
            rough = rough_digits(100 * self._share)
            return f"about {rough} % by disturbed measurements{mark(self._cautions)}"
        low, high = self._interval
        digits = _digits((low, high))
        ends = [f"{100 * end:.{digits}f}" for end in (low, high)]
        worse = ", so a step takes longer" if self._is_slower else ""
        interval = f"(95 % CI {ends[0]} to {ends[1]} %){mark(self._cautions)}"
        return f"{100 * self._share:.{digits}f} % {interval}{worse}"

    @property
    def _cautions(self) -> list[str]:
        places = tuple(f"on {count_of(r.case.gpus, 'GPU')}" for r in (self.few, self.many))
        return cautions(self.few, self.many, (places[0], places[1]))

    @property
    def _share(self) -> float:
        return 1 / verdict(self.few, self.many).ratio / 2

    @property
    def _is_slower(self) -> bool:
        return verdict(self.few, self.many).kind == "slower"

    @property
    def _interval(self) -> tuple[float, float]:
        found = verdict(self.few, self.many)
        return 1 / found.high / 2, 1 / found.low / 2


def doublings(results: Sequence[MeasuredCase]) -> list[Doubling]:
    """Return every doubling that was measured, from the fewest GPUs on.

    Args:
        results: Cases on real GPUs that differ in schedule and GPUs alone.
    """
    on: dict[int, list[MeasuredCase]] = {}
    for result in results:
        on.setdefault(result.case.gpus, []).append(result)
    found = []
    for gpus in sorted(on):
        if 2 * gpus in on:
            few = simplest(on[gpus])
            fit = [r for r in on[2 * gpus] if why_not_ranked(few, r) is None]
            many = simplest(fit or on[2 * gpus])
            found.append(Doubling(few, many, why_not_ranked(few, many)))
    return found


def _digits(ends: Sequence[float]) -> int:
    """Return the decimals of percents with which no end is shown as `LEAST` that is not it."""
    for digits in (1, 2, 3):
        if all(f"{100 * end:.{digits}f}" != f"{100 * LEAST:.{digits}f}" for end in ends):
            return digits
    return 1
