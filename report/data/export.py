"""Raw values of tables as JSON or CSV."""

import json
from typing import Any

import msgspec

from report.data.selection import GridTable, Row
from study.text import escaped_in_json, one_line


def render_json(grid_tables: list[GridTable]) -> str:
    """Return a list of tables with their rows; results are as in their files."""
    tables = [
        {
            "grid": grid_table.grid.name,
            "title": grid_table.grid.title,
            "profile": grid_table.profile,
            "changed": grid_table.changed,
            "rows": [_row(job) for row in grid_table.rows for job in row.jobs],
        }
        for grid_table in grid_tables
    ]
    return escaped_in_json(json.dumps(tables, indent=2, ensure_ascii=False)) + "\n"


def render_csv(grid_tables: list[GridTable]) -> str:
    """Return one line per row; nested keys are joined by dots, lists are JSON."""
    import pandas  # imported here: that takes longer than all the rest

    records = [
        {"grid": s.grid.name, "profile": s.profile} | _flat(_row(job))
        for s in grid_tables
        for row in s.rows
        for job in row.jobs
    ]
    frame = pandas.json_normalize(records).convert_dtypes()  # whole numbers stay whole
    frame = frame.drop(columns="result", errors="ignore").rename(columns=one_line)
    return str(frame.map(_cell).to_csv(index=False))


def _row(row: Row) -> dict[str, Any]:
    return {
        "case_id": row.case.case_id,
        "case": row.case.as_dict(),
        "outcome": row.outcome,
        "reason": row.reason,
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
