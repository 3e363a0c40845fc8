"""Tables of many GPUs, turned: a row for each GPU, and a column for each case."""

from collections.abc import Mapping
from dataclasses import replace

from report.document import Table
from report.wording.units import count_of

MANY = 12  # columns of GPUs that no page is wide enough for


def turn_wide(table: Table, first: int) -> Table:
    """Return the table with rows and columns exchanged if it has many more columns than rows.

    Args:
        table: One row per case.
        first: Number of columns at the left that name a case; they are the heading of its column.
    """
    of_gpus = [name for name in table.columns if " of GPU " in name]
    if len(of_gpus) < MANY or len(table.rows) >= len(table.columns) - first:
        return table
    names = [named(dict(zip(table.columns[:first], row, strict=False))) for row in table.rows]
    rows = [
        [name, *(row[at] for row in table.rows)]
        for at, name in enumerate(table.columns)
        if at >= first
    ]
    return replace(table, columns=["", *names], rows=rows)


def named(axes: Mapping[str, str]) -> str:
    """Return a case by its cells of the axes: `depth 20, 8 GPUs`."""
    return ", ".join(_value(heading, cell) for heading, cell in axes.items())


def _value(heading: str, cell: str) -> str:
    """Return `8 GPUs`, or `depth 20`."""
    if heading != "GPUs":
        return f"{heading} {cell}"
    count, _, emulated = cell.partition(" ")
    return " ".join(filter(None, [count_of(int(count), "GPU"), emulated]))
