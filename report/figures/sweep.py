"""Step time against an axis that no task asks for: batch size, dtype and the like."""

from math import ceil
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from report.analysis.comparison import swept_keys
from report.analysis.step_time import step_time
from report.data.labels import series
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import origin
from report.figures.points import TimeAxis, plot_points
from report.figures.style import LEGEND_LINE, draw
from report.wording.names import key_name, value_text
from report.wording.units import seconds
from study.text import one_line

LONGEST = 30  # characters of a value below the axis
WIDE = 8  # times the least value; the axis is logarithmic from there on


def make_figures(results: list[MeasuredCase]) -> list[Figure]:
    """Return a figure for each swept key in which the cases differ."""
    return [_figure(key, results) for key in swept_keys(results)]


def _figure(key: str, results: list[MeasuredCase]) -> Figure:
    """Draw medians with 95 % intervals."""
    having = [result for result in results if result.case.has_key(key)]
    values = list(dict.fromkeys(result.case.value(key) for result in having))
    name = key_name(key)
    found = series(having, key)
    time_axis = TimeAxis(having)

    def plot(drawing: Drawing) -> None:
        axes = drawing.subplots()
        for number, (label, cases) in enumerate(found.items()):
            at = [_place(result.case.value(key), values) for result in cases]
            plot_points(axes, number, label, at, cases, time_axis)
        _show_values(axes, key, values)
        axes.set_xlabel(name)
        axes.grid(True)
        time_axis.show(axes)
        drawing.legend(loc="outside lower center", ncols=2)

    source, caption = origin(having), f"Step time against {name}"
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
    return values.index(value) if _are_names(values) else float(value)


def _are_names(values: list[Any]) -> bool:
    return any(isinstance(value, str | bool) for value in values)


def _show_values(axes: Axes, key: str, values: list[Any]) -> None:
    """Mark only values that were measured."""
    if _are_names(values):
        axes.set_xlim(-0.5, len(values) - 0.5)
    elif max(values) >= WIDE * min(values) > 0:
        axes.set_xscale("log")
    names = [_name(key, value) for value in values]
    axes.set_xticks([_place(value, values) for value in values], names)
    axes.set_xticks([], minor=True)


def _name(key: str, value: Any) -> str:
    text = one_line(value_text(key, value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _in_words(result: MeasuredCase, key: str) -> str:
    return f"{value_text(key, result.case.value(key))} {seconds(step_time(result).estimate_s)}"
