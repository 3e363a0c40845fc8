"""The sentences below each table: what its numbers say, and when they cannot say it."""

from collections.abc import Callable

from report.analysis.comparison import CANNOT
from report.answers import layer_map, memory, placement_rule, schedules, step_time, transfers
from report.data.measured import MeasuredCase
from report.data.selection import GridTable, Row
from report.wording.names import schedule_name
from report.wording.units import plural
from study.case import Case

ANSWERS: dict[str, Callable[[list[MeasuredCase]], list[str]]] = {
    "step_time": step_time.answer,
    "layer_map": layer_map.answer,
    "placement_rule": placement_rule.answer,
    "memory": memory.answer,
    "transfers": transfers.answer,
    "schedules": schedules.answer,
}

NAMED = 5  # failed cases, before they become a number

QUESTIONS = {
    "step_time": step_time.QUESTION,
    "layer_map": "Where the data moves",
    "placement_rule": "Which GPU gets which layer",
    "memory": "Whether all GPUs are utilised and whether adding GPUs makes training faster",
    "transfers": "How often data moves",
    "schedules": schedules.QUESTION,
}


def make_answers(grid_table: GridTable) -> list[str]:
    """The answers of this kind of table."""
    results = [row.measured for row in grid_table.rows if row.measured is not None]
    if not results:
        return [f"{QUESTIONS[grid_table.grid.table]} {CANNOT}: no case has been measured."]
    return [*ANSWERS[grid_table.grid.table](results), *_missing(grid_table.rows)]


def _name(case: Case) -> str:
    how = "" if case.schedule == "naive" else f" as {schedule_name(case)}"
    return f"depth {case.depth} on {case.gpus} {plural(case.gpus, 'GPU')}{how}"


def _missing(rows: list[Row]) -> list[str]:
    """How many cases are missing, and which of them failed, the first few by name."""
    missing = [row for row in rows if row.measured is None]
    if not missing:
        return []
    failed = [f"{_name(row.case)} ({row.outcome})" for row in missing if row.outcome is not None]
    more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
    named = f" Failed: {', '.join(failed[:NAMED])}{more}." if failed else ""
    return [f"Missing from this answer: {len(missing)} of {len(rows)} cases.{named}"]
