"""Speed of a schedule as a factor over the naive one."""

from dataclasses import dataclass

from report.analysis.comparison import cautions, is_disturbed, verdict, why_incomparable
from report.analysis.verdicts.rough import rough_digits
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.wording.names import HOW

MAY_DIFFER = (*HOW, "gpus")


@dataclass(frozen=True)
class Factor:
    """Ratio of two speeds, with its 95 % confidence interval.

    Attributes:
        value: The ratio.
        low: The lower end of the interval.
        high: The upper end.
        cautions: Why the value is less than certain, the worst reason first.
        is_disturbed: Its size is not to be trusted: show it with two digits and no interval.
    """

    value: float
    low: float
    high: float
    cautions: tuple[str, ...] = ()
    is_disturbed: bool = False

    @property
    def words(self) -> str:
        """`1.56 (1.54 – 1.57)`, or `about 1.6` where something disturbed a measurement."""
        if self.is_disturbed:
            return f"about {rough_digits(self.value)}"
        return f"{self.value:.2f} ({self.low:.2f} – {self.high:.2f})"


def naive_on(gpus: int, result: MeasuredCase, results: list[MeasuredCase]) -> MeasuredCase | None:
    """Return the naive case on so many GPUs that is otherwise like the result; None without one.

    Args:
        gpus: Number of GPUs of the naive case.
        result: The case to match; schedule, its keys and GPUs may differ.
        results: The cases to search.
    """
    for other in results:
        is_naive = other.case.schedule == "naive" and other.case.gpus == gpus
        if is_naive and not differing([other, result], *MAY_DIFFER):
            return other
    return None


def why_not_ranked(a: MeasuredCase, b: MeasuredCase) -> str | None:
    """Return the reason why two schedules must not be ranked; None if they may be."""
    return why_incomparable(a, b, *MAY_DIFFER)


def factor_over(a: MeasuredCase | None, b: MeasuredCase) -> Factor | None:
    """Return the speed of b over that of a; None where they must not be compared."""
    if a is None or a is b or why_not_ranked(a, b) is not None:
        return None
    found = verdict(a, b)
    ends = 1 / found.high, 1 / found.low
    return Factor(1 / found.ratio, *ends, tuple(cautions(a, b)), is_disturbed(a, b))
