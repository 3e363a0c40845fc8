"""Step time against depth: a straight line if layers run one after another."""

from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from report.analysis.comparison import is_swept_instead
from report.analysis.depth_fit import Fit, fit_depth
from report.analysis.step_time import step_time
from report.data.labels import series
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import origin
from report.figures.points import TimeAxis, plot_points
from report.figures.style import LEGEND_LINE, SERIES, draw
from report.wording.units import seconds
from study.models import KINDS

CAPTION = "Step time against depth"


def make_figure(results: list[MeasuredCase]) -> Figure | None:
    """Draw medians with 95 % intervals, and a line through each series of three depths or more."""
    if is_swept_instead(results, "depth"):
        return None
    found = series(results, "depth")
    time_axis = TimeAxis(results)
    # A line is what equal layers make; of blocks, the ends are no part.
    fits = {name: fit_depth(cases) if _are_equal(cases) else None for name, cases in found.items()}
    unit = " and ".join(sorted({KINDS[result.case.kind].depth_unit for result in results}))

    def plot(drawing: Drawing) -> None:
        axes = drawing.subplots()
        for number, (name, cases) in enumerate(found.items()):
            _plot_series(axes, number, name, cases, fits[name], time_axis)
        axes.set_xlabel(f"depth ({unit}s)")
        axes.set_xlim(0, 1.05 * max(result.case.depth for result in results))
        time_axis.show(axes)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(True)
        drawing.legend(loc="outside lower center", ncols=2)

    source = origin(results)
    lines = "; the lines are least-squares fits" if any(fits.values()) else ""
    return Figure(
        caption=f"{CAPTION}, medians with 95 % confidence intervals{lines}{time_axis.note}.",
        svg=draw(2.7 + LEGEND_LINE * ceil(len(found) / 2), source, plot),
        alt=f"{CAPTION} ({source}). " + " ".join(_in_words(n, found[n], fits[n]) for n in found),
    )


def _are_equal(cases: list[MeasuredCase]) -> bool:
    return all(result.case.kind == "linear" for result in cases)


def _plot_series(
    axes: Axes,
    number: int,
    name: str,
    cases: list[MeasuredCase],
    line: Fit | None,
    time_axis: TimeAxis,
) -> None:
    depths = [float(result.case.depth) for result in cases]
    words = name if line is None else f"{name}: {line.words}"
    plot_points(axes, number, words, depths, cases, time_axis)
    if line is not None:
        colour, _, dashes = SERIES[number % len(SERIES)]
        ends = (0, max(depths))
        times_s = [line.intercept_s + line.slope_s * depth for depth in ends]
        axes.plot(
            ends, [time_s / time_axis.unit for time_s in times_s], dashes, color=colour, linewidth=1
        )


def _in_words(name: str, cases: list[MeasuredCase], line: Fit | None) -> str:
    points = (f"depth {r.case.depth} {seconds(step_time(r).estimate_s)}" for r in cases)
    return f"{name}: {', '.join(points)}{'' if line is None else f'; {line.words}'}."
