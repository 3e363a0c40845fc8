"""Number and size of moves in a step against the GPU count."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from report.analysis.transfers import expected_moves, is_chain
from report.data.labels import label
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import origin
from report.figures.style import BLACK, BLUE, RED, draw
from report.wording.units import SIZES, data_size, unit_for

CAPTION = "Moves of data between GPUs in a step"
# Both ways move the same, so one marker is drawn inside the other.
WAYS = (("forward", BLUE, "o", 9.0, "white"), ("backward", RED, "s", 4.0, RED))
Way = tuple[str, str, str, float, str]


def make_figure(results: list[MeasuredCase]) -> Figure:
    """Draw the moves with their closed form, and the bytes that they moved."""
    chain = all(is_chain(result.case) for result in results)

    each = _size_of_all(results)

    def plot(drawing: Drawing) -> None:
        panels = drawing.subplots(1, 1 if each is not None else 2, squeeze=False)[0]
        most = max(result.case.gpus for result in results)
        ends = [1, max(2, most)]
        if chain:
            panels[0].plot(ends, [n - 1 for n in ends], "--", color=BLACK, label="N − 1", zorder=1)
        for way in WAYS:
            _plot_way(panels[0], results, [_moves(result, way[0]) for result in results], way)
        panels[0].set_ylabel("moves a step, each way")
        panels[0].yaxis.set_major_locator(MaxNLocator(integer=True))
        for axes in panels[1:]:
            _plot_sizes(axes, results)
        for axes in panels:
            axes.set_xlabel("GPUs (N)")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_xlim(0.7, ends[1] + 0.3)
            axes.set_ylim(bottom=0)
            axes.grid(True)
        panels[0].legend(loc="upper left")

    source = origin(results)
    line = "; the line is N − 1 for N GPUs, each way" if chain else ""
    size = f"; every move carries {data_size(each)}" if each else ""
    return Figure(
        caption=f"{CAPTION}{line}{size}.",
        svg=draw(2.4, source, plot),
        alt=f"{CAPTION} ({source}). {' '.join(_in_words(result, results) for result in results)}",
    )


def _size_of_all(results: list[MeasuredCase]) -> int | None:
    """Return the bytes of a move where all are of the same size, 0 where nothing moved."""
    sizes = {
        _moved(result, way[0]) / _moves(result, way[0])
        for result in results
        for way in WAYS
        if _moves(result, way[0])
    }
    if len(sizes) > 1:
        return None
    return int(sizes.pop()) if sizes else 0


def _plot_sizes(axes: Axes, results: list[MeasuredCase]) -> None:
    """Draw the bytes that were moved: more than the moves, where these are of several sizes."""
    unit, unit_name = unit_for(max(_moved(r, way[0]) for r in results for way in WAYS), SIZES)
    for way in WAYS:
        _plot_way(axes, results, [_moved(result, way[0]) / unit for result in results], way)
    axes.set_ylabel(f"moved a step, each way ({unit_name})")


def _plot_way(axes: Axes, results: list[MeasuredCase], values: Sequence[float], way: Way) -> None:
    name, colour, marker, size, inside = way
    axes.plot(
        [result.case.gpus for result in results],
        values,
        linestyle="none",
        marker=marker,
        markersize=size,
        markerfacecolor=inside,
        color=colour,
        label=name,
        clip_on=False,  # whole markers at 0
        zorder=3,
    )


def _moves(result: MeasuredCase, way: str) -> int:
    seen = result.transfers
    return seen.moves_forward if way == "forward" else seen.moves_backward


def _moved(result: MeasuredCase, way: str) -> int:
    seen = result.transfers
    return seen.bytes_forward if way == "forward" else seen.bytes_backward


def _in_words(result: MeasuredCase, results: list[MeasuredCase]) -> str:
    ways = (f"{_moves(result, w)} {w} ({data_size(_moved(result, w))})" for w, *_ in WAYS)
    expected = expected_moves(result.case)
    law = "N − 1" if is_chain(result.case) else "one for each border and micro-batch"
    return f"{label(result, results)}: {', '.join(ways)}; {law} is {expected}."
