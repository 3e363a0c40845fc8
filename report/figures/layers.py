"""Map of layers to GPUs, with the places where data was seen to move."""

from itertools import groupby
from math import ceil
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from report.data.labels import label
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import first_of, origin
from report.figures.style import BLACK, GPU_COLOURS, GREY, SMALL, draw, ink_on
from report.wording.layers import layer_words, short_name
from report.wording.names import gpus_of_stages
from study.schedules import SCHEDULES

CAPTION = "The GPU of each layer"
MAX_CASES = 16
MAX_CELLS = 40  # layers of a case; of more, a GPU's layers share a cell
MOST_NAMES = 12  # of layers, below the axis
NAMES = 0.55  # inches for them
HEIGHT = 0.7
CENTRED: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": SMALL,
                           "in_layout": False}  # fmt: skip


def make_figure(results: list[MeasuredCase]) -> Figure:
    """Draw a row for each case, with a cell for each layer that has its GPU's number."""
    shown, note = first_of(results, MAX_CASES)
    deepest = max(result.case.layers for result in shown)
    names = _names(shown)

    def plot(drawing: Drawing) -> None:
        axes = drawing.subplots()
        for row, result in enumerate(shown):
            _plot_case(axes, row, result, deepest)
        axes.set_yticks(range(len(shown)), [label(result, shown) for result in shown])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlim(-0.6, deepest - 0.4)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=20, min_n_ticks=1))
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("layer (number in a cell: its GPU)")
        if names is not None:
            name_layers(axes, names)
        if any(result.transfers.moved_before_layers for result in shown):
            text = "data was seen to move to another GPU"
            border = Line2D([], [], color=BLACK, linestyle="none", marker="|", markersize=10,
                            markeredgewidth=2, label=text)  # fmt: skip
            drawing.legend(handles=[border], loc="outside lower center")

    source = origin(shown)
    return Figure(
        caption=f"{CAPTION}{note}.",
        svg=draw(1.05 + 0.3 * len(shown) + (NAMES if names else 0), source, plot),
        alt=f"{CAPTION} ({source}). {' '.join(_in_words(result, shown) for result in shown)}",
    )


def _plot_case(axes: Axes, row: int, result: MeasuredCase, deepest: int) -> None:
    for first, count, gpu in cells(result, deepest):
        colour = GPU_COLOURS[gpu % len(GPU_COLOURS)]
        left = first - 0.5
        axes.barh(row, count, HEIGHT, left, align="center", color=colour, edgecolor="white",
                  linewidth=1 if deepest <= MAX_CELLS else 0)  # fmt: skip
        if count * MAX_CELLS >= deepest:  # wide enough for a number
            centre = left + count / 2
            axes.text(centre, row, _cell(result, gpu), color=ink_on(colour), **CENTRED)
    if not result.placement.gpu_of_layer:
        _plot_shared(axes, row, result)
    borders = [layer - 0.5 for layer in result.transfers.moved_before_layers]
    width = 2 if deepest <= MAX_CELLS else 0.8
    axes.vlines(borders, row - 0.48, row + 0.48, BLACK, linewidth=width)


def _cell(result: MeasuredCase, gpu: int) -> str:
    """Return the numbers of the GPUs that hold the layers: `2`, or `2–3` for two replicas."""
    last = gpu + result.case.data_parallel - 1
    return str(gpu) if last == gpu else f"{gpu}–{last}"


def _held_by_all(result: MeasuredCase) -> str:
    """Return what every GPU holds where no layer belongs to one."""
    is_share = SCHEDULES[result.case.schedule].holds_shares
    return "a share of every layer" if is_share else "every layer"


def _plot_shared(axes: Axes, row: int, result: MeasuredCase) -> None:
    """Draw one cell of all GPUs, where no layer belongs to one."""
    depth, text = result.case.layers, f"{_held_by_all(result)} on every GPU"
    axes.barh(row, depth, HEIGHT, -0.5, align="center", color=GREY, edgecolor="white")
    axes.text(depth / 2 - 0.5, row, text, **CENTRED)


def cells(result: MeasuredCase, deepest: int) -> list[tuple[int, int, int]]:
    """Return first layer, number of layers and GPU of each cell; a deepest case merges cells."""
    places = list(enumerate(result.placement.gpu_of_layer))
    if deepest <= MAX_CELLS:
        return [(layer, 1, gpu) for layer, gpu in places]
    together = [list(run) for _, run in groupby(places, key=lambda place: place[1])]
    return [(run[0][0], len(run), run[0][1]) for run in together]


def _in_words(result: MeasuredCase, results: list[MeasuredCase]) -> str:
    places = result.placement.gpu_of_layer
    numbers: dict[int, list[int]] = {}
    for layer, gpu in enumerate(places):
        numbers.setdefault(gpu, []).append(layer)
    what, apart = ("layers ", ", ") if result.layer_names is None else ("", "; ")
    one = "GPU" if result.case.data_parallel == 1 else "GPUs"
    layers = (
        f"{one} {gpus_of_stages(result.case, gpu)} {what}{layer_words(result.layer_names, n)}"
        for gpu, n in numbers.items()
    )
    held = apart.join(layers) or f"every GPU {_held_by_all(result)}"
    return f"{label(result, results)}: {held}."


def _names(results: list[MeasuredCase]) -> list[str] | None:
    """Return the names of the layers where all cases have the same."""
    first = results[0].layer_names
    return first if all(result.layer_names == first for result in results) else None


def name_layers(axes: Axes, names: list[str]) -> None:
    """Write the names of layers below the axis, the first, the last and what fits between."""
    step = max(1, ceil((len(names) - 1) / (MOST_NAMES - 1)))
    at = [*range(0, len(names) - 1 - step // 2, step), len(names) - 1]
    axes.set_xticks(at, [short_name(names[n]) for n in at], rotation=40, ha="right",
                    rotation_mode="anchor")  # fmt: skip
