"""The main table: a row for each case, with the columns of the table's kind, or chosen ones."""

from collections.abc import Sequence

from report.data.measured import MeasuredCase
from report.data.rows import Row
from report.data.selection import GridTable
from report.document import Table, join_cells
from report.tables.cells.field import Field
from report.tables.cells.program import OF_PROGRAMS
from report.tables.cells.step import Cells
from report.tables.cells.throughput import mfu_notes
from report.tables.columns import COLUMNS, check_columns, for_models, headings_of, telling
from report.tables.details.one_gpu import kept_apart, where_they_are
from report.tables.failures import brief, in_full
from report.tables.notes import letters, notes_on
from report.tables.turned import named, turn_wide
from report.wording.names import gpu_count, heading, key_text
from report.wording.quantities import in_words
from report.wording.units import UNKNOWN

NOTES, RESULT = "notes", "result"
Words = dict[str, str]


def make_main_table(
    grid_table: GridTable, default: Sequence[str], columns: Sequence[str] | None = None
) -> Table:
    """Return one row per case: the axes, then the columns, then notes and reason.

    Args:
        grid_table: The cases, measured or not.
        default: Keys of the columns of the table's kind; those that say nothing are left out.
        columns: Keys of the columns to show instead.

    Raises:
        ConfigError: There is no such column.
    """
    check_columns(columns or ())
    field = Field(grid_table.results)
    kinds = {row.case.kind for row in grid_table.rows}
    usual = default if kinds <= {"linear", "program"} else for_models(default)
    keys = list(columns) if columns else telling(usual, field)
    apart = set(kept_apart(field.results)) if grid_table.grid.table == "schedules" else set()
    rows = [row for row in grid_table.rows if row.measured is None or row.measured not in apart]
    marks, lines = letters(
        [notes_on(row, timed=any(COLUMNS[key].is_timed for key in keys)) for row in rows]
    )
    is_whole = len(field.results) == len(grid_table.rows)
    axes = [_axes(row, grid_table) for row in rows]
    found = [
        join_cells(first, cells, {NOTES: mark} if mark else {}, {} if is_whole else _result(row))
        for row, first, cells, mark in zip(
            rows, axes, _cells(rows, keys, field, all_known=not columns), marks, strict=True
        )
    ]
    cases = [row.case for row in rows]
    unknown = [] if field.results else [name for key in keys for name in headings_of(key, cases)]
    headings = _headings(_widest_first(found), unknown)
    filled = [[row.get(heading, UNKNOWN) for heading in headings] for row in found]
    notes = [*lines, *(mfu_notes(field.results) if "mfu" in keys else ()), *where_they_are(apart)]
    failed = [(r, first) for r, first in zip(rows, axes, strict=True) if _failed(r)]
    notes += in_full([(named(first), row.reason or UNKNOWN) for row, first in failed])
    table = Table(headings, filled, notes=notes)
    return turn_wide(table, len(axes[0]) if axes else 0)


def _axes(row: Row, grid_table: GridTable) -> Words:
    """Return the case's values of the keys that vary, and its GPUs."""
    found = {heading(key): key_text(row.case, key) for key in grid_table.varied}
    result = row.measured
    found["GPUs"] = gpu_count(row.case, result is not None and result.emulated)
    return found


def _cells(rows: Sequence[Row], keys: Sequence[str], field: Field, all_known: bool) -> list[Words]:
    """Return the cells of the columns, none for what was not measured.

    Args:
        rows: The cases.
        keys: Keys of the columns.
        field: All measured cases.
        all_known: Leave out columns in which nothing is known.
    """
    measured = (row.measured for row in rows)
    words = in_words(
        {} if r is None else _joined([COLUMNS[key].cells(r, field) for key in _of(r, keys)])
        for r in measured
    )
    if not all_known:
        return words
    known = {name for row in words for name, cell in row.items() if cell != UNKNOWN}
    return [{name: cell for name, cell in row.items() if name in known} for row in words]


def _joined(columns: Sequence[Cells]) -> Cells:
    """Return the cells of a row; two columns that say one thing, as of samples, are one."""
    row: Cells = {}
    for cells in columns:
        row = join_cells(row, {k: cell for k, cell in cells.items() if row.get(k) != cell})
    return row


def _of(result: MeasuredCase, keys: Sequence[str]) -> list[str]:
    """Return the keys of columns that say something of the case."""
    return [key for key in keys if result.program is None or key in OF_PROGRAMS]


def _result(row: Row) -> Words:
    if row.measured is not None:
        return {RESULT: "ok"}
    reason = row.reason or UNKNOWN
    return {RESULT: brief(reason) if _failed(row) else reason}


def _failed(row: Row) -> bool:
    """Return True if the case has ended without a measurement, so that its reason is an error."""
    return row.measured is None and row.outcome is not None


def _widest_first(rows: Sequence[Words]) -> list[Words]:
    """Return the rows with the most cells first: columns stand as in those, GPU 0 to the last."""
    return sorted(rows, key=len, reverse=True)


def _headings(rows: Sequence[Words], unknown: Sequence[str]) -> list[str]:
    """Return all headings, also of what nothing was measured of, with notes and result last."""
    found = list(dict.fromkeys(heading for row in rows for heading in row))
    found += unknown
    last = [name for name in (NOTES, RESULT) if name in found]
    return [*(name for name in found if name not in last), *last]
