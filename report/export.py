"""Values of tables as JSON or CSV: tidy columns, and the results as in their files."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from report.data.rows import Row
from report.data.selection import GridTable
from report.tidy import columns_of, tidy_rows
from study.text import escaped_in_json, one_line


def render_json(grid_tables: list[GridTable], with_raw: bool = False) -> str:
    """Return a list of tables with a row for each job.

    Args:
        grid_tables: The tables.
        with_raw: Give each row its `case` and its `result` as in the file, too.
    """
    columns = columns_of(grid_tables)
    tables = [
        {
            "grid": grid_table.grid.name,
            "title": grid_table.grid.title,
            "profile": grid_table.profile,
            "changed": grid_table.changed,
            "rows": _rows(grid_table, columns, with_raw),
        }
        for grid_table in grid_tables
    ]
    return escaped_in_json(json.dumps(tables, indent=2, ensure_ascii=False)) + "\n"


def render_csv(grid_tables: list[GridTable], with_raw: bool = False) -> str:
    """Return a line for each job.

    Args:
        grid_tables: The tables.
        with_raw: Add all values of the results; nested keys are joined by dots, lists are JSON.
    """
    columns = columns_of(grid_tables)
    rows = [row for table in grid_tables for row in _rows(table, columns, with_raw)]
    if with_raw:
        return _raw_csv(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _raw_csv(rows: list[dict[str, Any]]) -> str:
    import pandas  # imported here: that takes longer than all the rest

    frame = pandas.json_normalize([_flat(row) for row in rows]).convert_dtypes()
    frame = frame.drop(columns="result", errors="ignore").rename(columns=one_line)
    return str(frame.map(_cell).to_csv(index=False))


def _rows(grid_table: GridTable, columns: Sequence[str], with_raw: bool) -> list[dict[str, Any]]:
    rows = tidy_rows(grid_table, columns)
    if with_raw:
        jobs = [job for row in grid_table.rows for job in row.jobs]
        for row, job in zip(rows, jobs, strict=True):
            row |= _raw(job)
    return rows


def _raw(row: Row) -> dict[str, Any]:
    return {
        "case": row.case.as_dict(),
        "result": None if row.result is None else msgspec.to_builtins(row.result),
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Drop the keys of the result that repeat those of the row."""
    result = {k: v for k, v in (row["result"] or {}).items() if k not in ("case", "case_id")}
    return row | {"result": result}


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple | dict):
        return json.dumps(value)
    if not isinstance(value, str):
        return value
    text = one_line(value)
    # A spreadsheet would take it for a formula.
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
