"""The kinds of tables: one entry has all that a document shows and says for a grid's `table:`.

Figures are imported when they are drawn, since matplotlib takes half a second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from report.answers import layer_map, memory, placement_rule, schedules, step_time, transfers
from report.data.measured import MeasuredCase
from report.document import Figure, Table
from report.tables import (
    bubbles,
    columns,
    copies,
    flops,
    memory_parts,
    schedule_columns,
    schedule_costs,
    time_use,
)
from report.tables.columns import Cells
from study.grid import TABLES

Results = list[MeasuredCase]


@dataclass(frozen=True)
class Kind:
    """One kind of table. No part has a default, so that none is forgotten."""

    question: str  # begins the answer where nothing was measured
    headings: Sequence[str]  # columns that a table without any measurement still has
    rows: Callable[[Results], list[Cells]]  # cells of each case, by heading
    details: Sequence[Callable[[Results], Table]]  # tables behind the answers
    answers: Callable[[Results], list[str]]  # sentences below the table
    figures: Callable[[Results], Sequence[Figure | None]]  # None where there is nothing to draw
    listings: Sequence[tuple[str, str]]  # source files, and the function of each to show
    facts: Callable[[Results], list[str]]  # lines above the table, after those of every kind


def each(make_cells: Callable[[MeasuredCase], Cells]) -> Callable[[Results], list[Cells]]:
    """Return a function that makes a row of each case alone."""
    return lambda results: [make_cells(result) for result in results]


def _step_time_figures(results: Results) -> list[Figure | None]:
    from report.figures import depth, sweep

    return [depth.make_figure(results), *sweep.make_figures(results)]


def _layer_map_figures(results: Results) -> list[Figure | None]:
    from report.figures import gantt, layers

    return [layers.make_figure(results), *gantt.make_figures(results)]


def _placement_figures(results: Results) -> list[Figure | None]:
    from report.figures import layers

    return [layers.make_figure(results)]


def _memory_figures(results: Results) -> list[Figure | None]:
    from report.figures import gantt, gpus, memory, sweep

    alone = [gpus.make_figure(results), *sweep.make_figures(results)]
    return [*alone, *gantt.make_figures(results), memory.make_figure(results)]


def _transfer_figures(results: Results) -> list[Figure | None]:
    from report.figures import moves

    return [moves.make_figure(results)]


def _schedule_figures(results: Results) -> list[Figure | None]:
    from report.figures import schedule_gantt, schedules

    return [schedules.make_figure(results), schedule_gantt.make_figure(results)]


KINDS = {
    "step_time": Kind(
        question=step_time.QUESTION,
        headings=(columns.STEP_TIME, "time per layer"),
        rows=each(columns.step_time),
        details=[flops.make_table],
        answers=step_time.answer,
        figures=_step_time_figures,
        listings=[],
        facts=lambda results: [],
    ),
    "layer_map": Kind(
        question="Where the data moves",
        headings=("data moves before layer",),
        rows=each(columns.layer_map),
        details=[],
        answers=layer_map.answer,
        figures=_layer_map_figures,
        listings=[("mp/model.py", "forward")],
        facts=lambda results: [],
    ),
    "placement_rule": Kind(
        question="Which GPU gets which layer",
        headings=("layers of GPU 0",),
        rows=each(columns.layers_of_gpus),
        details=[],
        answers=placement_rule.answer,
        figures=_placement_figures,
        listings=[
            ("mp/model.py", "__init__"),
            ("mp/model.py", "all_gpus"),
            ("mp/placement.py", "layer_map"),
            ("mp/placement.py", "gpu_of_layer"),
        ],
        facts=lambda results: [],
    ),
    "memory": Kind(
        question="Whether all GPUs are utilised and whether adding GPUs makes training faster",
        headings=(columns.STEP_TIME, "memory of GPU 0"),
        rows=each(columns.memory),
        details=[time_use.make_table, memory_parts.make_table, flops.make_table],
        answers=memory.answer,
        figures=_memory_figures,
        listings=[],
        facts=columns.memory_facts,
    ),
    "transfers": Kind(
        question="How often data moves",
        headings=("`.to` calls per forward", "moves forward", "moves backward"),
        rows=each(columns.transfers),
        details=[copies.make_table],
        answers=transfers.answer,
        figures=_transfer_figures,
        listings=[],
        facts=lambda results: [],
    ),
    "schedules": Kind(
        question=schedules.QUESTION,
        headings=schedule_columns.HEADINGS,
        rows=schedule_columns.rows,
        details=[schedule_costs.make_table, bubbles.make_table, flops.make_table],
        answers=schedules.answer,
        figures=_schedule_figures,
        listings=[],
        facts=lambda results: [schedule_columns.FACT],
    ),
}
assert tuple(KINDS) == TABLES, "study.grid.TABLES names other kinds of tables than report.kinds"
