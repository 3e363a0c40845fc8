"""The kinds of tables: one entry has all that a document shows and says for a grid's `table:`."""

from typing import Any

from report import drawings
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
from report.answers.best import overall
from report.data.selection import GridTable
from report.document import Answer
from report.kind import Kind, Results
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
from study.grids.file import TABLES


def _nothing(results: Results) -> list[Any]:
    return []


def _no_opening(grid_table: GridTable) -> list[Answer]:
    return []


MORE_GPUS = ("speed_up", "efficiency", "samples_per_s", "gpu_seconds")
KINDS = {
    "step_time": Kind(
        question=step_time.QUESTION,
        opening=_no_opening,
        columns=("step_time", "time_per_layer", *MORE_GPUS),
        answers=lambda results: [*step_time.answer(results), *scaling.answer(results)],
        headlines=lambda results: [*step_time.headlines(results), *scaling.headlines(results)],
        figures=drawings.step_time_figures,
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
        figures=drawings.layer_map_figures,
        listings=[("mp/model.py", "forward")],
        detail_tables=[],
        detail_figures=drawings.typical_steps,
        facts=_nothing,
    ),
    "placement_rule": Kind(
        question="Which GPU gets which layer",
        opening=_no_opening,
        columns=("layers",),
        answers=placement_rule.answer,
        headlines=placement_rule.headlines,
        figures=drawings.layer_map_figures,
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
        figures=drawings.memory_figures,
        listings=[],
        detail_tables=[
            more_gpus.make_table,
            samples.make_table,
            time_use.make_table,
            memory_parts.make_table,
            flops.make_table,
        ],
        detail_figures=drawings.memory_details,
        facts=gpus.memory_facts,
    ),
    "transfers": Kind(
        question="How often data moves",
        opening=_no_opening,
        columns=("calls", "moves", "moved"),
        answers=transfers.answer,
        headlines=transfers.headlines,
        figures=drawings.transfer_figures,
        listings=[],
        detail_tables=[copies.make_table],
        detail_figures=_nothing,
        facts=_nothing,
    ),
    "schedules": Kind(
        question=schedules.QUESTION,
        opening=overall.opening,
        columns=("step_time", "launching", *MORE_GPUS, "bubble", "formula", "peak_memory"),
        answers=lambda results: [
            *schedules.answer(results),
            *scaling.answer(results),
            *model.about_layers(results),
        ],
        headlines=lambda results: [
            *scaling.headlines(results),
            *schedules.headlines(results),
        ],
        figures=drawings.schedule_figures,
        listings=[],
        detail_tables=[
            speeds.make_table,
            schedule_costs.make_table,
            bubbles.make_table,
            one_gpu.make_table,
            samples.make_table,
            flops.make_table,
        ],
        detail_figures=drawings.schedule_details,
        facts=bubbles.facts,
    ),
    "model": Kind(
        question=model.STATEMENT,
        opening=model.opening,
        columns=("step_time", "launching", *MORE_GPUS, "bubble", "formula", "peak_memory"),
        answers=model.answer,
        headlines=model.headlines,
        figures=drawings.model_figures,
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
        detail_figures=drawings.model_details,
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
        figures=drawings.program_figures,
        listings=[],
        detail_tables=[],
        detail_figures=_nothing,
        facts=program_cells.memory_facts,
    ),
}
assert tuple(KINDS) == TABLES, "study.grids.file names other kinds of tables than report.kinds"
