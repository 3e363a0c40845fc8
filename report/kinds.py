"""The kinds of tables: one entry has all that a document shows and says for a grid's `table:`.

Figures are imported when they are drawn, since matplotlib takes half a second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from report.answers import layer_map, memory, placement_rule, schedules, step_time, transfers
from report.data.measured import MeasuredCase
from report.document import Answer, Figure, Table
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
Drawings = Sequence[Figure | None]  # None where there is nothing to draw


@dataclass(frozen=True)
class Kind:
    """One kind of table. No part has a default, so that none is forgotten."""

    question: str  # begins the answer where nothing was measured
    headings: Sequence[str]  # columns that a table without any measurement still has
    rows: Callable[[Results], list[Cells]]  # cells of each case, by heading
    answers: Callable[[Results], list[Answer]]
    headlines: Callable[[Results], list[str]]  # sentences of the first page, best first
    figures: Callable[[Results], Drawings]
    listings: Sequence[tuple[str, str]]  # source files, and the function of each to show
    detail_tables: Sequence[Callable[[Results], Table]]  # evidence for the appendix
    detail_figures: Callable[[Results], Drawings]
    facts: Callable[[Results], list[str]]  # lines above the answers, after those of every kind


def each(make_cells: Callable[[MeasuredCase], Cells]) -> Callable[[Results], list[Cells]]:
    """Return a function that makes a row of each case alone."""
    return lambda results: [make_cells(result) for result in results]


def _nothing(results: Results) -> list[Any]:
    return []


def _step_time_figures(results: Results) -> Drawings:
    from report.figures import depth, sweep

    return [depth.make_figure(results), *sweep.make_figures(results)]


def _layer_map_figures(results: Results) -> Drawings:
    from report.figures import layers

    return [layers.make_figure(results)]


def _typical_steps(results: Results) -> Drawings:
    from report.figures import gantt

    return gantt.make_figures(results)


def _memory_figures(results: Results) -> Drawings:
    from report.figures import gpus, sweep

    return [gpus.make_figure(results), *sweep.make_figures(results)]


def _memory_details(results: Results) -> Drawings:
    from report.figures import gantt, memory

    return [*gantt.make_figures(results), memory.make_figure(results)]


def _transfer_figures(results: Results) -> Drawings:
    from report.figures import moves

    return [moves.make_figure(results)]


def _schedule_figures(results: Results) -> Drawings:
    from report.figures import schedules

    return [schedules.make_figure(results)]


def _schedule_details(results: Results) -> Drawings:
    from report.figures import schedule_gantt

    return [schedule_gantt.make_figure(results)]


KINDS = {
    "step_time": Kind(
        question=step_time.QUESTION,
        headings=(columns.STEP_TIME, "time per layer"),
        rows=each(columns.step_time),
        answers=step_time.answer,
        headlines=_nothing,
        figures=_step_time_figures,
        listings=[],
        detail_tables=[flops.make_table],
        detail_figures=_nothing,
        facts=_nothing,
    ),
    "layer_map": Kind(
        question="Where the data moves",
        headings=("data moves before layer",),
        rows=each(columns.layer_map),
        answers=layer_map.answer,
        headlines=_nothing,
        figures=_layer_map_figures,
        listings=[("mp/model.py", "forward")],
        detail_tables=[],
        detail_figures=_typical_steps,
        facts=_nothing,
    ),
    "placement_rule": Kind(
        question="Which GPU gets which layer",
        headings=("layers of GPU 0",),
        rows=each(columns.layers_of_gpus),
        answers=placement_rule.answer,
        headlines=_nothing,
        figures=_layer_map_figures,
        listings=[
            ("mp/model.py", "__init__"),
            ("mp/model.py", "all_gpus"),
            ("mp/placement.py", "layer_map"),
            ("mp/placement.py", "gpu_of_layer"),
        ],
        detail_tables=[],
        detail_figures=_nothing,
        facts=_nothing,
    ),
    "memory": Kind(
        question="Whether all GPUs are utilised and whether adding GPUs makes training faster",
        headings=(columns.STEP_TIME, "memory of GPU 0"),
        rows=each(columns.memory),
        answers=memory.answer,
        headlines=_nothing,
        figures=_memory_figures,
        listings=[],
        detail_tables=[time_use.make_table, memory_parts.make_table, flops.make_table],
        detail_figures=_memory_details,
        facts=columns.memory_facts,
    ),
    "transfers": Kind(
        question="How often data moves",
        headings=("`.to` calls per forward", "moves forward", "moves backward"),
        rows=each(columns.transfers),
        answers=transfers.answer,
        headlines=_nothing,
        figures=_transfer_figures,
        listings=[],
        detail_tables=[copies.make_table],
        detail_figures=_nothing,
        facts=_nothing,
    ),
    "schedules": Kind(
        question=schedules.QUESTION,
        headings=schedule_columns.HEADINGS,
        rows=schedule_columns.rows,
        answers=schedules.answer,
        headlines=_nothing,
        figures=_schedule_figures,
        listings=[],
        detail_tables=[schedule_costs.make_table, bubbles.make_table, flops.make_table],
        detail_figures=_schedule_details,
        facts=lambda results: [schedule_columns.FACT],
    ),
}
assert tuple(KINDS) == TABLES, "study.grid.TABLES names other kinds of tables than report.kinds"
