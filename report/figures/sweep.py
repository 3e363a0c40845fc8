"""Step time against an axis that no task asks for: batch size, dtype and the like."""

from math import ceil
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from report.analysis.comparison import SWEPT
from report.analysis.step_time import step_time
from report.data.labels import differs, series
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import origin
from report.figures.points import TimeAxis, plot_points
from report.figures.style import LEGEND_LINE, draw
from report.wording.names import key_name
from report.wording.units import seconds

WIDE = 8  # times the least value; the axis is logarithmic from there on


def make_figures(results: list[MeasuredCase]) -> list[Figure]:
    """Return a figure for each key of `SWEPT` in which the cases differ."""
    return [_figure(key, results) for key in SWEPT if differs(results, key)]


def _figure(key: str, results: list[MeasuredCase]) -> Figure:
    """Draw medians with 95 % intervals."""
    values = list(dict.fromkeys(getattr(result.case, key) for result in results))
    name = key_name(key)
    found = series(results, key)
    time_axis = TimeAxis(results)

    def plot(drawing: Drawing) -> None:
        axes = drawing.subplots()
        for number, (label, cases) in enumerate(found.items()):
            at = [_place(getattr(result.case, key), values) for result in cases]
            plot_points(axes, number, label, at, cases, time_axis)
        _show_values(axes, values)
        axes.set_xlabel(name)
        axes.grid(True)
        time_axis.show(axes)
        drawing.legend(loc="outside lower center", ncols=2)

    source, caption = origin(results), f"Step time against {name}"
    points = (
        f"{label}: {', '.join(_in_words(result, key) for result in cases)}."
        for label, cases in found.items()
    )
    return Figure(
        caption=f"{caption}, medians with 95 % confidence intervals{time_axis.note}.",
        svg=draw(2.5 + LEGEND_LINE * ceil(len(found) / 2), source, plot),
        alt=f"{caption} ({source}). {' '.join(points)}",
    )


def _place(value: Any, values: list[Any]) -> float:
    """Place numbers by their value, and names side by side."""
    return values.index(value) if isinstance(value, str) else float(value)


def _show_values(axes: Axes, values: list[Any]) -> None:
    """Mark only values that were measured."""
    if isinstance(values[0], str):
        axes.set_xlim(-0.5, len(values) - 0.5)
    elif max(values) >= WIDE * min(values):
        axes.set_xscale("log")
    axes.set_xticks([_place(value, values) for value in values], [str(value) for value in values])
    axes.set_xticks([], minor=True)


def _in_words(result: MeasuredCase, key: str) -> str:
    return f"{getattr(result.case, key)} {seconds(step_time(result).estimate_s)}"
