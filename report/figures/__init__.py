"""The drawings of each kind of grid. Importing this imports matplotlib, which takes a while."""

from collections.abc import Callable
from functools import partial

from report.analysis.comparison import SWEPT
from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.document import Figure
from report.figures import (
    depth,
    gantt,
    gpus,
    layers,
    memory,
    moves,
    schedule_gantt,
    schedules,
    sweep,
)

Made = Figure | list[Figure] | None
ALONG: list[Callable[[list[MeasuredCase]], Made]] = [
    partial(sweep.make_figure, key) for key in SWEPT
]
FIGURES: dict[str, list[Callable[[list[MeasuredCase]], Made]]] = {
    "step_time": [depth.make_figure, *ALONG],
    "layer_map": [layers.make_figure, gantt.make_figures],
    "placement_rule": [layers.make_figure],
    "memory": [gpus.make_figure, *ALONG, gantt.make_figures, memory.make_figure],
    "transfers": [moves.make_figure],
    "schedules": [schedules.make_figure, schedule_gantt.make_figure],
}


def make_figures(grid_table: GridTable) -> list[Figure]:
    """What there is to draw of these results; nothing where nothing was measured."""
    results = [row.measured for row in grid_table.rows if row.measured is not None]
    if not results:
        return []
    return [figure for make in FIGURES[grid_table.grid.table] for figure in _each(make(results))]


def _each(made: Made) -> list[Figure]:
    if made is None:
        return []
    return made if isinstance(made, list) else [made]
