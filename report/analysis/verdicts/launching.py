"""The part of an eager step that a CUDA graph of the same step does without: launching."""

from collections.abc import Sequence
from dataclasses import dataclass

from report.analysis.comparison import is_disturbed, verdict, why_incomparable
from report.analysis.step_time import step_time
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.wording.units import DIGITS, digits_within, number, percent, seconds


@dataclass(frozen=True)
class Launching:
    """Times of an eager step and of its graph: the cost of launching kernels one by one.

    Attributes:
        eager_s: The median eager step in seconds.
        graph_s: That of the graph.
        half_width: Half of the 95 % confidence interval of `share`.
        is_rough: Something disturbed one of the two.
    """

    eager_s: float
    graph_s: float
    half_width: float
    is_rough: bool

    @property
    def cost_s(self) -> float:
        """Seconds of a step."""
        return self.eager_s - self.graph_s

    @property
    def share(self) -> float:
        """The same as a share of an eager step, 0 to 1."""
        return self.cost_s / self.eager_s

    @property
    def words(self) -> str:
        """`3.90 ms (11.5 %)`, with fewer digits and `about` where the interval supports no more.

        `about 11 %` where something disturbed a measurement.
        """
        if self.is_rough:
            return f"about {100 * self.share:.0f} %"
        digits = digits_within(self.share, self.half_width)
        if digits == DIGITS:
            return f"{seconds(self.cost_s)} ({percent(self.share)})"
        cost_s = float(f"{self.cost_s:.{digits}g}")
        return f"about {seconds(cost_s)} ({number(100 * self.share, digits)} %)"


def launching_between(eager: MeasuredCase, graph: MeasuredCase) -> Launching | None:
    """Return the cost for two cases that may be compared; None if no graph is clearly faster."""
    found = verdict(eager, graph)
    if found.kind != "faster":
        return None
    eager_s, graph_s = (step_time(result).estimate_s for result in (eager, graph))
    half_width = (found.high - found.low) / 2
    return Launching(eager_s, graph_s, half_width, is_rough=is_disturbed(eager, graph))


def launching_of(result: MeasuredCase, results: Sequence[MeasuredCase]) -> Launching | None:
    """Return the cost for an eager case whose graph is among the results; None if unknown."""
    if result.case.execution != "eager":
        return None
    for other in results:
        if differing([result, other]) == ["execution"]:
            refused = why_incomparable(result, other, "execution") is not None
            return None if refused else launching_between(result, other)
    return None
