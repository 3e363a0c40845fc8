"""The drawings of each kind of grid. Importing this imports matplotlib, which takes a while."""

from collections.abc import Callable

from report.document import Figure
from report.figures import depth, gantt, gpus, layers, memory, moves, schedule_gantt, schedules
from report.measured import Measured
from report.selection import Selection

FIGURES: dict[str, list[Callable[[list[Measured]], Figure | None]]] = {
    "step_time": [depth.make_figure],
    "layer_map": [layers.make_figure, gantt.make_figure],
    "placement_rule": [layers.make_figure],
    "memory": [gpus.make_figure, gantt.make_figure, memory.make_figure],
    "transfers": [moves.make_figure],
    "schedules": [schedules.make_figure, schedule_gantt.make_figure],
}


def make_figures(selection: Selection) -> list[Figure]:
    """What there is to draw of these results; nothing where nothing was measured."""
    results = [row.measured for row in selection.rows if row.measured is not None]
    if not results:
        return []
    figures = [make(results) for make in FIGURES[selection.grid.table]]
    return [figure for figure in figures if figure is not None]
