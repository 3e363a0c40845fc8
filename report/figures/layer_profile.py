"""Time, parameters and kept bytes of every layer, and where the stages are cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from report.data.labels import label
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import origin
from report.figures.layers import name_layers
from report.figures.style import BLUE, GREEN, LEGEND_LINE, ORANGE, SERIES, draw
from report.wording.layers import short_name
from report.wording.units import SIZES, TIMES, Unit, data_size, seconds, unit_for
from study.results.layers import ModelProfile

CAPTION = "Time, parameters and kept bytes of each layer"
MOST_CUTS = 3  # ways to cut the model, each with lines of its own
MOST_BARS = 500  # of more layers, neighbours share one
PANEL = 0.95  # inches


@dataclass(frozen=True)
class Panel:
    """One quantity of every layer, in seconds or bytes."""

    name: str
    values: list[float]
    units: Sequence[Unit]
    colour: str


def make_figure(results: list[MeasuredCase]) -> Figure | None:
    """Draw the layers of the case on most GPUs, and its cut beside those of others on as many.

    None for the linear stack, whose layers are equal.
    """
    having = [r for r in results if r.model is not None and r.layer_names is not None]
    if not having:
        return None
    most = max(having, key=lambda result: result.case.gpus)
    model, names = most.model, most.layer_names
    assert model is not None
    assert names is not None
    panels, cuts = _panels(model), _cuts(having, most)

    def plot(drawing: Drawing) -> None:
        (column,) = drawing.subplots(len(panels), 1, squeeze=False, sharex=True).T
        for axes, panel in zip(column, panels, strict=True):
            _plot(axes, panel)
            for number, places in enumerate(cuts.values()):
                colour, _, dashes = SERIES[number % len(SERIES)]
                axes.vlines(places, *axes.get_ylim(), colour, dashes, linewidth=1)
        name_layers(column[-1], names)
        column[-1].set_xlim(-0.5, len(names) - 0.5)
        for number, name in enumerate(cuts):
            colour, _, dashes = SERIES[number % len(SERIES)]
            column[0].plot([], [], dashes, color=colour, linewidth=1, label=f"cut: {name}")
        if cuts:
            drawing.legend(loc="outside lower center", ncols=1)

    source = origin([most])
    lines = "; the lines are where stages are cut" if cuts else ""
    if (together := _together(len(names))) > 1:
        lines = f"; a bar is the greatest of {together} layers{lines}"
    return Figure(
        caption=f"{CAPTION}, with a micro-batch of {model.rows} rows{lines}.",
        svg=draw(0.9 + PANEL * len(panels) + LEGEND_LINE * len(cuts), source, plot),
        alt=f"{CAPTION} ({source}). {' '.join(_in_words(panel, names) for panel in panels)}",
    )


def _panels(model: ModelProfile) -> list[Panel]:
    """Return what is known of every layer."""
    times_s = [
        x.forward_s + x.backward_s
        for x in model.layers
        if x.forward_s is not None and x.backward_s is not None
    ]
    found = [
        Panel("parameters", [float(x.parameter_bytes) for x in model.layers], SIZES, ORANGE),
        Panel("kept", [float(x.kept_bytes) for x in model.layers], SIZES, GREEN),
    ]
    if len(times_s) == len(model.layers):
        found.insert(0, Panel("time", times_s, TIMES, BLUE))
    return found


def _plot(axes: Axes, panel: Panel) -> None:
    scale, unit = unit_for(max(panel.values), panel.units)
    together = _together(len(panel.values))
    starts = range(0, len(panel.values), together)
    heights = [max(panel.values[at : at + together]) / scale for at in starts]
    edges = [*(at - 0.5 for at in starts), len(panel.values) - 0.5]
    axes.stairs(heights, edges, fill=True, color=panel.colour)
    axes.set_ylabel(f"{panel.name} ({unit})")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
    axes.grid(axis="y")


def _together(count: int) -> int:
    """Return how many neighbouring layers share a bar, which is as high as the highest of them."""
    return ceil(count / MOST_BARS)


def _cuts(results: list[MeasuredCase], most: MeasuredCase) -> dict[str, list[float]]:
    """Return the places of the cuts on as many GPUs, each way to cut once, by a case's label."""
    alike = [r for r in results if r.case.gpus == most.case.gpus and r.layer_names]
    same = [r for r in alike if r.layer_names == most.layer_names]
    found: dict[tuple[float, ...], str] = {}
    for result in same:
        stages = result.placement.stage_of_layer or result.placement.gpu_of_layer
        places = tuple(at - 0.5 for at in range(1, len(stages)) if stages[at] != stages[at - 1])
        if places:
            found.setdefault(places, label(result, same))
    return {name: list(places) for places, name in list(found.items())[:MOST_CUTS]}


def _in_words(panel: Panel, names: list[str]) -> str:
    least, greatest = min(panel.values), max(panel.values)
    where = short_name(names[panel.values.index(greatest)])
    of_bytes = panel.units is SIZES
    low, high = (data_size(int(v)) if of_bytes else seconds(v) for v in (least, greatest))
    return f"{panel.name.capitalize()}: {low} to {high} ({where})."
