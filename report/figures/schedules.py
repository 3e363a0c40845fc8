"""Step time of every schedule for each GPU count, compared with naive."""

from math import ceil
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from report.analysis.flops import parts_of
from report.analysis.speedup import naive_on, why_not_ranked
from report.analysis.step_time import step_time
from report.data.labels import label, schedule_label
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import origin
from report.figures.points import TimeAxis
from report.figures.style import (
    BLACK,
    BLUE,
    DIM,
    EDGE,
    EMULATED,
    GREEN,
    GREY,
    LEGEND_LINE,
    ORANGE,
    PURPLE,
    SMALL,
    WIDTH,
    draw,
    ink_on,
)
from report.wording.units import count_of, seconds
from study.schedules import SCHEDULES
from study.stages import allowed_speed_up

CAPTION = "Step time of each schedule"
COLOURS = {
    "naive": GREY,
    "tensor": ORANGE,
    "ddp": GREEN,
    "fsdp": PURPLE,
}  # all others are pipelines
HEIGHT, ROW = 0.72, 0.17  # of a row; inches
LEAST_ROWS = 4  # have room, so that a figure of one row is not all title and axis
MAX_COUNTS, MAX_ROWS, FEWEST = 4, 40, 2  # that fit; bars that show more than a number
BESIDE_BARS = 1.2  # times the longest bar, for the number of a short one
LETTER = 0.075  # inches
LEGIBLE = 0.9  # of the width beside the names of the rows: panels have space between them
ALLOWED: dict[str, Any] = {"marker": "D", "markersize": 4.5, "markerfacecolor": "white",
                           "markeredgecolor": BLACK, "linestyle": "none"}  # fmt: skip


def make_figure(results: list[MeasuredCase]) -> Figure | None:
    """Draw a row for each schedule and a panel for each GPU count above 1; None for one bar."""
    counts = sorted({r.case.gpus for r in results if r.case.gpus > 1})[-MAX_COUNTS:]
    shown = [result for result in results if result.case.gpus in counts]
    ranked = sorted(
        shown, key=lambda r: (list(SCHEDULES).index(r.case.schedule), r.case.micro_batches)
    )
    names = list(dict.fromkeys(schedule_label(result, shown) for result in ranked))[:MAX_ROWS]
    if len(shown) < FEWEST:
        return None
    time_axis = TimeAxis(shown)
    width = LEGIBLE * (WIDTH - LETTER * max(map(len, names))) / len(counts)  # inches, of a panel

    def plot(drawing: Drawing) -> None:
        (panels,) = drawing.subplots(1, len(counts), squeeze=False, sharex=True, sharey=True)
        panels[0].set_xlim(0, BESIDE_BARS * max(time_axis.reach(result)[-1] for result in shown))
        for axes, gpus in zip(panels, counts, strict=True):
            here = [result for result in shown if result.case.gpus == gpus]
            rows = {schedule_label(result, shown): result for result in here}
            for row, name in enumerate(names):
                _plot_row(axes, row, rows.get(name), here, time_axis, width)
            emulated = " (emulated)" if all(result.emulated for result in here) else ""
            axes.set_title(f"{count_of(gpus, 'GPU')}{emulated}")
            axes.set_xlabel(f"step time ({time_axis.unit_name})")
            axes.grid(axis="x")
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(len(names) - 0.4, -0.6)  # the first on top
        for axes in panels:
            axes.tick_params(axis="y", length=0)
        keys = _keys(shown)
        drawing.legend(handles=keys, loc="outside lower center", ncols=min(len(keys), 3))

    source = origin(shown)
    times = "; ".join(f"{label(r, shown)} {seconds(step_time(r).estimate_s)}" for r in shown)
    allows = ""
    if _has_formula(shown):
        allows = "; a diamond is what the schedule's formula allows, given the naive step time"
    drawn = f"{CAPTION}{_micro_batches(shown)}, medians with 95 % confidence intervals"
    return Figure(
        caption=f"{drawn}{allows}{time_axis.note}.",
        svg=draw(
            0.8 + ROW * max(LEAST_ROWS, len(names)) + LEGEND_LINE * ceil(len(_keys(shown)) / 3),
            source,
            plot,
        ),
        alt=f"{CAPTION} ({source}). {times}.",
        headline=3 if len(names) > 1 else 0,  # naive alone answers nothing
    )


def _micro_batches(shown: list[MeasuredCase]) -> str:
    """Return the micro-batches of all pipelines, which no row then names."""
    counts = {result.case.micro_batches for result in shown if result.case.has_key("micro_batches")}
    if len(counts) != 1:
        return ""
    return f" (pipelines with {count_of(counts.pop(), 'micro-batch', 'micro-batches')})"


def _plot_row(
    axes: Axes,
    row: int,
    result: MeasuredCase | None,
    here: list[MeasuredCase],
    time_axis: TimeAxis,
    width: float,
) -> None:
    if result is None:
        axes.text(0, row, " not measured", va="center", fontsize=SMALL, color=DIM)
        return
    low, end, high = time_axis.reach(result)
    hatch = EMULATED if result.emulated else None
    colour = COLOURS.get(result.case.schedule, BLUE)
    axes.barh(row, end, HEIGHT, color=colour, hatch=hatch, **EDGE)
    if low < high:
        axes.errorbar(end, row, xerr=[[end - low], [high - end]], color=BLACK, capsize=2)
    if time_axis.is_cut(result):
        axes.plot(high, row, marker=">", markersize=4, color=BLACK)
    clear = low
    if result.case.schedule == "naive":
        if _is_reference(result, here):
            axes.axvline(end, color=BLACK, linestyle="--", linewidth=0.8, zorder=0.5)
    elif (allowed := _allowed_s(result, here)) is not None:
        axes.plot(allowed / time_axis.unit, row, **ALLOWED)
        clear = min(clear, allowed / time_axis.unit)
    room = width * clear / axes.get_xlim()[1]
    _label_bar(axes, row, room, high, colour if hatch is None else None, result)


def _label_bar(
    axes: Axes, row: int, room: float, high: float, colour: str | None, result: MeasuredCase
) -> None:
    """Write the step time into the bar, clear of all lines; right of it if there is no room.

    Args:
        axes: Where to draw.
        row: The place of the bar.
        room: Inches of the bar before the first line that crosses it.
        high: The upper end of its interval.
        colour: Its colour; None where a hatch would cross the letters.
        result: The case.
    """
    text = seconds(step_time(result).estimate_s)
    inside = colour is not None and room > LETTER * len(text)
    ink = ink_on(colour) if colour is not None and inside else BLACK
    ground = None if inside else {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    axes.annotate(text, (0 if inside else high, row), (4, 0), textcoords="offset points",
                  va="center_baseline", fontsize=SMALL, color=ink, bbox=ground,
                  zorder=4)  # fmt: skip


def _is_reference(naive: MeasuredCase, here: list[MeasuredCase]) -> bool:
    """Return True if another case of this panel may be compared with the naive one."""
    return any(why_not_ranked(naive, other) is None for other in here if other is not naive)


def _allowed_s(result: MeasuredCase, here: list[MeasuredCase]) -> float | None:
    """Return the step time that the formula allows, given the naive one on as many GPUs."""
    naive = naive_on(result.case.gpus, result, here)
    factor = allowed_speed_up(result.case, parts_of(result))
    if naive is None or factor is None or result.emulated or why_not_ranked(naive, result):
        return None
    return step_time(naive).estimate_s / factor


def _has_formula(shown: list[MeasuredCase]) -> bool:
    """Return True if any row has a mark for what its formula allows."""
    return any(_allowed_s(result, _beside(result, shown)) for result in shown)


def _beside(result: MeasuredCase, shown: list[MeasuredCase]) -> list[MeasuredCase]:
    """Return the cases of the same panel."""
    return [other for other in shown if other.case.gpus == result.case.gpus]


def _keys(shown: list[MeasuredCase]) -> list[Patch | Line2D]:
    schedules = {result.case.schedule for result in shown}
    keys: list[Patch | Line2D] = [
        Patch(facecolor=colour, label=SCHEDULES[schedule].label, **EDGE)
        for schedule, colour in COLOURS.items()
        if schedule in schedules
    ]
    if schedules - set(COLOURS):
        keys.append(Patch(facecolor=BLUE, label="pipeline", **EDGE))
    if _has_formula(shown):
        keys.append(Line2D([], [], label="what its formula allows", **ALLOWED))
    if any(r.case.schedule == "naive" and _is_reference(r, _beside(r, shown)) for r in shown):
        keys.append(Line2D([], [], color=BLACK, linestyle="--", linewidth=0.8,
                           label="naive on as many GPUs"))  # fmt: skip
    if any(result.emulated for result in shown):
        keys.append(Patch(facecolor="white", hatch=EMULATED, label="emulated", **EDGE))
    return keys
