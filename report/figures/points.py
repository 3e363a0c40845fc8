"""Step times with 95 % intervals; an interval that would flatten the others is cut off."""

from math import inf

from matplotlib.axes import Axes

from report.analysis.step_time import step_time
from report.data.labels import label
from report.data.measured import MeasuredCase
from report.figures.style import SERIES
from report.wording.units import TIMES, seconds, unit_for

HUGE = 2  # times the greatest median; a longer interval would take over half of the axis


def plot_points(
    axes: Axes,
    number: int,
    name: str,
    at: list[float],
    cases: list[MeasuredCase],
    time_axis: "TimeAxis",
) -> None:
    """Draw one series of cases with their intervals.

    Args:
        axes: Where to draw.
        number: Index of the series, which gives its colour and marker.
        name: Label in the legend.
        at: The place of each case on the x axis.
        cases: The cases.
        time_axis: The y axis.
    """
    colour, marker, _ = SERIES[number % len(SERIES)]
    axes.plot(
        at,
        [step_time(result).estimate_s / time_axis.unit for result in cases],
        linestyle="none",
        marker=marker,
        markersize=4,
        color=colour,
        markerfacecolor="white" if cases[0].emulated else colour,
        label=name,
    )
    for x, result in zip(at, cases, strict=True):
        time_axis.plot_interval(axes, x, result, colour)


class TimeAxis:
    """The axis of step times that all cases of a drawing share, and where it cuts intervals off."""

    def __init__(self, results: list[MeasuredCase]) -> None:
        self.results = results
        greatest = max(step_time(result).estimate_s for result in results)
        self.unit, self.unit_name = unit_for(greatest, TIMES)
        self.cut_s = HUGE * greatest if max(map(_end, results)) > HUGE * greatest else inf

    def show(self, axes: Axes) -> None:
        """Name and limit the axis, once everything is drawn."""
        axes.set_ylabel(f"step time ({self.unit_name})")
        axes.set_ylim(bottom=0)
        if self.cut_s < inf:
            axes.set_ylim(top=1.1 * self.cut_s / self.unit)

    def plot_interval(self, axes: Axes, x: float, result: MeasuredCase, colour: str) -> float:
        """Draw the interval, with an arrow where it is cut off; return its upper end on the axis.

        Args:
            axes: Where to draw.
            x: The place on the x axis.
            result: The case.
            colour: The colour of its series.
        """
        low, middle, high = self.reach(result)
        if low < high:
            ends = [[middle - low], [high - middle]]
            axes.errorbar(x, middle, yerr=ends, linestyle="none", color=colour)
        if self.is_cut(result):
            axes.plot(x, high, linestyle="none", marker="^", markersize=6, color=colour)
        return high

    def reach(self, result: MeasuredCase) -> tuple[float, float, float]:
        """Return the lower end of the drawn interval, the median and the upper end, on the axis."""
        found = step_time(result)
        middle = found.estimate_s / self.unit
        if found.interval is None:
            return middle, middle, middle
        low = min(middle, found.interval.low / self.unit)
        return low, middle, max(middle, min(found.interval.high, self.cut_s) / self.unit)

    def is_cut(self, result: MeasuredCase) -> bool:
        """Return True if the interval goes on beyond the axis."""
        return _end(result) > self.cut_s

    @property
    def note(self) -> str:
        """Words for the caption on intervals that are cut off."""
        cut = [result for result in self.results if self.is_cut(result)]
        if not cut:
            return ""
        named = ", ".join(f"{label(r, self.results)} to {seconds(_end(r))}" for r in cut)
        return f"; an arrow where an interval goes on ({named})"


def _end(result: MeasuredCase) -> float:
    found = step_time(result)
    return found.estimate_s if found.interval is None else found.interval.high
