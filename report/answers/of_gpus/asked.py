"""GPU counts that the grid asks for and nobody measured: what the rule says of them."""

from functools import cache

from report.answers.of_gpus.rules import RULES, counts_by_rule
from report.answers.phrases import label_of, listed
from report.data.labels import differing, differs
from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.document import Answer
from report.wording.names import HOW
from report.wording.units import count_of, plural
from study.case import Case
from study.grids.file import load_grids


def answer(grid_table: GridTable) -> list[Answer]:
    """Return a remark for each group of cases in which GPU counts are missing."""
    results = grid_table.results
    naive = [result for result in results if result.case.schedule == "naive"]
    keys = [*differing(results, "gpus"), *_not_measured(grid_table, results)]
    groups: dict[tuple[object, ...], list[Case]] = {}
    measured = {result.case.configuration for result in results}
    for case in {case.configuration: case for case in grid_table.asked}.values():
        if case.configuration not in measured and case.schedule == "naive":
            groups.setdefault(_values(case, keys), []).append(case)
    asks = "The homework asks for" if grid_table.grid.name in _homework() else "The table asks for"
    lines = [
        f"{label_of(alike[0], keys)}{_missing(asks, cases, alike)}"
        for values, cases in groups.items()
        if (alike := [r for r in naive if _values(r.case, keys) == values])
    ]
    return [Answer("", lines)] if lines else []


def _not_measured(grid_table: GridTable, results: list[MeasuredCase]) -> list[str]:
    """Return the other axes, whose values were asked for though one alone was measured."""
    return [
        key
        for key, values in grid_table.grid.axes.items()
        if key not in ("gpus", *HOW) and len(values) > 1 and not differs(results, key)
    ]


def _values(case: Case, keys: list[str]) -> tuple[object, ...]:
    return tuple(case.value(key) for key in keys)


def _missing(asks: str, cases: list[Case], alike: list[MeasuredCase]) -> str:
    missing = sorted(case.gpus for case in cases)
    found = sorted({result.case.gpus for result in alike})
    gpus = f"{listed(missing)} {plural(missing[-1], 'GPU')}"
    rules = "".join(f" {_by_rule(case)}" for case in cases if case.kind == "linear")
    counts = listed(found) if len(found) > 1 else f"only {found[0]}"
    was = "was" if found == [1] else "were"
    return f"{asks} {gpus}, too; {counts} {was} measured.{rules}"


def _by_rule(case: Case) -> str:
    layers = counts_by_rule(case)
    moves = sum(count > 0 for count in layers) - 1
    return (
        f"By the rule that {RULES[case.split][0]}, {count_of(case.gpus, 'GPU')} "
        f"{plural(case.gpus, 'gets', 'get')} "
        f"{listed(layers)} of {case.depth} layers, and data moves {moves} "
        f"{plural(moves, 'time')} each way."
    )


@cache
def _homework() -> set[str]:
    """Return the names of the homework's grids."""
    return {grid.name for grid in load_grids(["homework"])}
