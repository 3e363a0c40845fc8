"""The kinds of tables: one entry has all that a document shows and says for a grid's `table:`.

Figures are imported when they are drawn, since matplotlib takes half a second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from report.answers import (
    layer_map,
    memory,
    model,
    placement_rule,
    program,
    scaling,
    schedules,
    step_time,
    transfers,
)
from report.answers import missing as no_result
from report.answers.best import overall
from report.answers.of_gpus import asked
from report.answers.of_model import losses
from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.document import Answer, Figure, Table
from report.tables.cells import gpus
from report.tables.cells import program as program_cells
from report.tables.details import (
    bubbles,
    copies,
    flops,
    memory_parts,
    more_gpus,
    one_gpu,
    phases,
    samples,
    schedule_costs,
    speeds,
    time_use,
)
from report.tables.details import layers as layers_as_measured
from study.grid import TABLES

Results = list[MeasuredCase]
Drawings = Sequence[Figure | None]  # None where there is nothing to draw


@dataclass(frozen=True)
class Kind:
    """One kind of table. No part has a default, so that none is forgotten."""

    question: str  # begins the answer where nothing was measured
    opening: Callable[[GridTable], list[Answer]]  # answers of all cases, failed ones included
    columns: Sequence[str]  # keys of report.tables.columns; those that say nothing are left out
    answers: Callable[[Results], list[Answer]]
    headlines: Callable[[Results], list[str]]  # sentences of the first page, best first
    figures: Callable[[Results], Drawings]
    listings: Sequence[tuple[str, str]]  # source files, and the function of each to show
    detail_tables: Sequence[Callable[[Results], Table]]  # evidence for the appendix
    detail_figures: Callable[[Results], Drawings]
    facts: Callable[[Results], list[str]]  # lines above the answers, after those of every kind


def remarks(grid_table: GridTable) -> list[Answer]:
    """Return what every kind says of cases that its grid asks for and nobody measured."""
    return asked.answer(grid_table)


def missing(grid_table: GridTable) -> list[Answer]:
    """Return what every kind says of cases that were not measured."""
    return no_result.answer(grid_table.rows)


def layer_tables(results: Results) -> list[Table]:
    """Return what every kind shows in detail of layers that are not all equal."""
    return [layers_as_measured.make_table(results)]


def layer_figures(results: Results) -> Drawings:
    """Return the drawing of such layers."""
    from report.figures import layer_profile

    return [layer_profile.make_figure(results)]


def checks(results: Results) -> list[str]:
    """Return what checks of the models found: warnings, then how training differs; each once."""
    return [*losses.warnings(results), *losses.notes(results)]


def _nothing(results: Results) -> list[Any]:
    return []


def _no_opening(grid_table: GridTable) -> list[Answer]:
    return []


def _step_time_figures(results: Results) -> Drawings:
    from report.figures import depth, scaling, sweep

    drawn = [depth.make_figure(results), *sweep.make_figures(results)]
    return [*drawn, scaling.make_figure(results)]


def _layer_map_figures(results: Results) -> Drawings:
    from report.figures import layers

    return [layers.make_figure(results)]


def _typical_steps(results: Results) -> Drawings:
    from report.figures import gantt

    return gantt.make_figures(results)


def _memory_figures(results: Results) -> Drawings:
    from report.figures import gpus, scaling, sweep

    drawn = [gpus.make_figure(results), *sweep.make_figures(results)]
    return [*drawn, scaling.make_figure(results)]


def _memory_details(results: Results) -> Drawings:
    from report.figures import gantt, memory

    return [*gantt.make_figures(results), memory.make_figure(results)]


def _transfer_figures(results: Results) -> Drawings:
    from report.figures import moves

    return [moves.make_figure(results)]


def _schedule_figures(results: Results) -> Drawings:
    from report.figures import scaling, schedules

    return [schedules.make_figure(results), scaling.make_figure(results)]


def _schedule_details(results: Results) -> Drawings:
    from report.figures import schedule_gantt

    return [schedule_gantt.make_figure(results)]


def _model_figures(results: Results) -> Drawings:
    from report.figures import sweep

    return [*_schedule_figures(results), *sweep.make_figures(results)]


def _model_details(results: Results) -> Drawings:
    from report.figures import memory

    return [*_schedule_details(results), memory.make_figure(results)]


def _program_figures(results: Results) -> Drawings:
    from report.figures import scaling, sweep

    return [*sweep.make_figures(results), scaling.make_figure(results)]


MORE_GPUS = ("speed_up", "efficiency", "samples_per_s", "gpu_seconds")
KINDS = {
    "step_time": Kind(
        question=step_time.QUESTION,
        opening=_no_opening,
        columns=("step_time", "time_per_layer", *MORE_GPUS),
        answers=lambda results: [*step_time.answer(results), *scaling.answer(results)],
        headlines=lambda results: [*step_time.headlines(results), *scaling.headlines(results)],
        figures=_step_time_figures,
        listings=[],
        detail_tables=[samples.make_table, phases.make_table, flops.make_table],
        detail_figures=_nothing,
        facts=_nothing,
    ),
    "layer_map": Kind(
        question="Where the data moves",
        opening=_no_opening,
        columns=("layers", "moved_before"),
        answers=layer_map.answer,
        headlines=layer_map.headlines,
        figures=_layer_map_figures,
        listings=[("mp/model.py", "forward")],
        detail_tables=[],
        detail_figures=_typical_steps,
        facts=_nothing,
    ),
    "placement_rule": Kind(
        question="Which GPU gets which layer",
        opening=_no_opening,
        columns=("layers",),
        answers=placement_rule.answer,
        headlines=placement_rule.headlines,
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
        opening=_no_opening,
        columns=("step_time", *MORE_GPUS, "memory"),
        answers=lambda results: [*memory.answer(results), *scaling.answer(results)],
        headlines=lambda results: [*memory.headlines(results), *scaling.headlines(results)],
        figures=_memory_figures,
        listings=[],
        detail_tables=[
            more_gpus.make_table,
            samples.make_table,
            time_use.make_table,
            memory_parts.make_table,
            flops.make_table,
        ],
        detail_figures=_memory_details,
        facts=gpus.memory_facts,
    ),
    "transfers": Kind(
        question="How often data moves",
        opening=_no_opening,
        columns=("calls", "moves", "moved"),
        answers=transfers.answer,
        headlines=transfers.headlines,
        figures=_transfer_figures,
        listings=[],
        detail_tables=[copies.make_table],
        detail_figures=_nothing,
        facts=_nothing,
    ),
    "schedules": Kind(
        question=schedules.QUESTION,
        opening=overall.opening,
        columns=("step_time", *MORE_GPUS, "bubble", "formula", "peak_memory"),
        answers=lambda results: [
            *schedules.answer(results),
            *scaling.answer(results),
            *model.about_layers(results),
        ],
        headlines=lambda results: [
            *scaling.headlines(results),
            *schedules.headlines(results),
        ],
        figures=_schedule_figures,
        listings=[],
        detail_tables=[
            speeds.make_table,
            schedule_costs.make_table,
            bubbles.make_table,
            one_gpu.make_table,
            samples.make_table,
            flops.make_table,
        ],
        detail_figures=_schedule_details,
        facts=bubbles.facts,
    ),
    "model": Kind(
        question=model.STATEMENT,
        opening=model.opening,
        columns=("step_time", *MORE_GPUS, "bubble", "formula", "peak_memory"),
        answers=model.answer,
        headlines=model.headlines,
        figures=_model_figures,
        listings=[],
        detail_tables=[
            speeds.make_table,
            schedule_costs.make_table,
            bubbles.make_table,
            one_gpu.make_table,
            samples.make_table,
            time_use.make_table,
            memory_parts.make_table,
            flops.make_table,
        ],
        detail_figures=_model_details,
        facts=bubbles.facts,
    ),
    "program": Kind(
        question=program.QUESTION,
        opening=_no_opening,
        columns=(
            "step_time",
            "speed_up",
            "efficiency",
            "items_per_s",
            "items_per_s_per_gpu",
            "gpu_seconds",
            "sampled_memory",
            "sampled_utilization",
        ),
        answers=program.answer,
        headlines=program.headlines,
        figures=_program_figures,
        listings=[],
        detail_tables=[],
        detail_figures=_nothing,
        facts=program_cells.memory_facts,
    ),
}
assert tuple(KINDS) == TABLES, "study.grid.TABLES names other kinds of tables than report.kinds"
