"""Step time for each GPU count, as bars."""

from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch

from report.analysis.comparison import is_swept_instead
from report.analysis.step_time import step_time
from report.data.labels import label, series
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import origin
from report.figures.points import TimeAxis
from report.figures.style import BLACK, EDGE, EMULATED, GPU_COLOURS, LEGEND_LINE, SMALL, draw
from report.wording.units import seconds

CAPTION = "Step time for each GPU count"
MIN_ROOM = 4  # GPU counts; room for fewer would make bars too wide
MAX_NUMBERS = 14  # that fit above the bars


def make_figure(results: list[MeasuredCase]) -> Figure | None:
    """Draw bars from zero, so that their lengths can be compared, with 95 % intervals."""
    if is_swept_instead(results, "gpus"):
        return None
    found = series(results, "gpus")
    time_axis = TimeAxis(results)
    counts = sorted({result.case.gpus for result in results})

    def plot(drawing: Drawing) -> None:
        axes = drawing.subplots()
        width = 0.6 / len(found)
        for number, cases in enumerate(found.values()):
            shift = (number - (len(found) - 1) / 2) * width
            for result in cases:
                at = counts.index(result.case.gpus) + shift
                high = _plot_bar(axes, at, width, GPU_COLOURS[number % 7], result, time_axis)
                if len(results) <= MAX_NUMBERS:
                    text = seconds(step_time(result).estimate_s)
                    axes.annotate(text, (at, high), (0, 4), textcoords="offset points",
                                  ha="center", va="bottom", fontsize=SMALL)  # fmt: skip
        axes.set_xticks(range(len(counts)), [str(count) for count in counts])
        room = max(0.0, (MIN_ROOM - len(counts)) / 2)
        axes.set_xlim(-0.6 - room, len(counts) - 0.4 + room)
        axes.set_xlabel("GPUs")
        axes.margins(y=0.15)
        time_axis.show(axes)
        axes.grid(axis="y")
        if keys := _keys(results, list(found)):
            drawing.legend(handles=keys, loc="outside lower center", ncols=3)

    source = origin(results)
    times = "; ".join(f"{label(r, results)} {seconds(step_time(r).estimate_s)}" for r in results)
    return Figure(
        caption=f"{CAPTION}, medians with 95 % confidence intervals{time_axis.note}.",
        svg=draw(2.4 + LEGEND_LINE * ceil(len(found) / 3), source, plot),
        alt=f"{CAPTION} ({source}). {times}.",
        headline=1,
    )


def _plot_bar(
    axes: Axes, at: float, width: float, colour: str, result: MeasuredCase, time_axis: TimeAxis
) -> float:
    """Draw a bar with its interval; return its upper end."""
    length = step_time(result).estimate_s / time_axis.unit
    hatch = EMULATED if result.emulated else None
    axes.bar(at, length, 0.9 * width, color=colour, hatch=hatch, **EDGE)
    return time_axis.plot_interval(axes, at, result, BLACK)


def _keys(results: list[MeasuredCase], names: list[str]) -> list[Patch]:
    keys = []
    if len(names) > 1:
        colours = [GPU_COLOURS[number % 7] for number in range(len(names))]
        keys = [Patch(facecolor=c, label=n, **EDGE) for c, n in zip(colours, names, strict=True)]
    if any(result.emulated for result in results):
        keys.append(Patch(facecolor="white", hatch=EMULATED, label="emulated", **EDGE))
    return keys
