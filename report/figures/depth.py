"""Step time against depth: if layers run one after another, a straight line."""

from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from report.document import Figure
from report.figures.labels import origin, series
from report.figures.style import LEGEND_LINE, SERIES, draw, time_unit
from report.fit import Fit, fit_depth
from report.measured import Measured
from report.step_time import step_time
from report.units import seconds

CAPTION = "Step time against depth"


def make_figure(results: list[Measured]) -> Figure:
    """Medians with 95 % intervals, and a line for each series of three depths or more."""
    found = series(results, "depth")
    fits = {name: fit_depth(cases) for name, cases in found.items()}

    def plot(drawing: Drawing) -> None:
        axes = drawing.subplots()
        unit, unit_name = time_unit(step_time(result).estimate_s for result in results)
        for number, (name, cases) in enumerate(found.items()):
            _plot_series(axes, number, name, cases, fits[name], unit)
        axes.set(xlabel="depth (layers)", ylabel=f"step time ({unit_name})")
        axes.set_xlim(0, 1.05 * max(result.case.depth for result in results))
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(True)
        drawing.legend(loc="outside lower center", ncols=2)

    source = origin(results)
    lines = "; the lines are least-squares fits" if any(fits.values()) else ""
    return Figure(
        caption=f"{CAPTION}, medians with 95 % confidence intervals{lines}.",
        svg=draw(2.7 + LEGEND_LINE * ceil(len(found) / 2), source, plot),
        alt=f"{CAPTION} ({source}). " + " ".join(_in_words(n, found[n], fits[n]) for n in found),
    )


def _plot_series(
    axes: Axes, number: int, name: str, cases: list[Measured], line: Fit | None, unit: float
) -> None:
    colour, marker, dashes = SERIES[number % len(SERIES)]
    depths = [result.case.depth for result in cases]
    found = [step_time(result) for result in cases]
    below = [max(0.0, f.estimate_s - f.interval.low) / unit if f.interval else 0 for f in found]
    above = [max(0.0, f.interval.high - f.estimate_s) / unit if f.interval else 0 for f in found]
    axes.errorbar(
        depths,
        [f.estimate_s / unit for f in found],
        yerr=[below, above],
        linestyle="none",
        marker=marker,
        markersize=4,
        color=colour,
        markerfacecolor="white" if cases[0].emulated else colour,
        label=name if line is None else f"{name}: {line.words}",
    )
    if line is not None:
        ends = (0, max(depths))
        heights = [(line.intercept_s + line.slope_s * depth) / unit for depth in ends]
        axes.plot(ends, heights, dashes, color=colour, linewidth=1)


def _in_words(name: str, cases: list[Measured], line: Fit | None) -> str:
    points = (f"depth {r.case.depth} {seconds(step_time(r).estimate_s)}" for r in cases)
    return f"{name}: {', '.join(points)}{'' if line is None else f'; {line.words}'}."
