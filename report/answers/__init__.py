"""The sentences below each table: what its numbers say, and when they cannot say it."""

from collections.abc import Callable

from report.answers import layer_map, memory, placement_rule, step_time, transfers
from report.answers.comparing import CANNOT
from report.measured import Measured
from report.selection import Row, Selection

ANSWERS: dict[str, Callable[[list[Measured]], list[str]]] = {
    "step_time": step_time.answer,
    "layer_map": layer_map.answer,
    "placement_rule": placement_rule.answer,
    "memory": memory.answer,
    "transfers": transfers.answer,
}

QUESTIONS = {
    "step_time": step_time.QUESTION,
    "layer_map": "Where the data moves",
    "placement_rule": "Which GPU gets which layer",
    "memory": "Whether all GPUs are utilised and whether adding GPUs makes training faster",
    "transfers": "How often data moves",
}


def make_answers(selection: Selection) -> list[str]:
    """The answers of this kind of table."""
    results = [row.measured for row in selection.rows if row.measured is not None]
    if not results:
        return [f"{QUESTIONS[selection.grid.table]} {CANNOT}: no case has been measured."]
    return [*ANSWERS[selection.grid.table](results), *_missing(selection.rows)]


def _missing(rows: list[Row]) -> list[str]:
    missing = sum(row.measured is None for row in rows)
    return [f"Missing from this answer: {missing} of {len(rows)} cases."] if missing else []
