"""The main table: a row for each case, with the columns of the table's kind."""

from collections.abc import Sequence

from report.data.selection import GridTable
from report.document import Table
from report.tables.columns import Cells
from report.tables.notes import notes_on
from report.wording.names import gpu_count, heading, key_text
from report.wording.units import UNKNOWN

LAST = ("notes", "result")


def make_main_table(
    grid_table: GridTable, cells: Sequence[Cells], headings: Sequence[str]
) -> Table:
    """Return one row per case: the axes, then the kind's columns, then notes and reason.

    Args:
        grid_table: The cases, measured or not.
        cells: The kind's columns of each measured case, in the order of `grid_table.results`.
        headings: Columns to show where nothing was measured.
    """
    of_kind = dict(zip(grid_table.results, cells, strict=True))
    rows = []
    for row in grid_table.rows:
        found = {heading(key): key_text(row.case, key) for key in grid_table.grid.axes}
        result = row.measured
        found["GPUs"] = gpu_count(row.case, result is not None and result.emulated)
        if result is None:
            found["result"] = row.reason or UNKNOWN
        else:
            found |= of_kind[result]
            if notes := notes_on(row, result):
                found["notes"] = notes
            if len(of_kind) < len(grid_table.rows):
                found["result"] = "ok"
        rows.append(found)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    for last in LAST:
        if last in columns:
            columns = [*(c for c in columns if c != last), last]
    if not of_kind:
        columns = [*columns[:-1], *headings, "result"]
    return Table(columns, [[row.get(column, UNKNOWN) for column in columns] for row in rows])
