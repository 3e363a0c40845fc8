"""`--set`: of all tables, the rows whose cases have these values."""

from dataclasses import replace
from typing import Any

from report.selection import Selection
from study.case import Case
from study.errors import ConfigError

MOST_NAMED = 10  # settings, in the line that says which there are


def narrow(selections: list[Selection], values: dict[str, Any]) -> list[Selection]:
    """The tables that have such rows, with no others.

    Raises:
        ConfigError: no row has these values; the message lists those there are.
    """
    narrowed = [
        replace(selection, rows=rows)
        for selection in selections
        if (rows := [row for row in selection.rows if _values(row.case, values) == values])
    ]
    if selections and not narrowed:
        cases = [row.case for selection in selections for row in selection.rows]
        raise ConfigError(
            "--set", f"no case has {_words(values)}; there are {_there(cases, values)}"
        )
    return narrowed


def _there(cases: list[Case], keys: dict[str, Any]) -> str:
    """What the cases have of these keys."""
    found = sorted({tuple(_values(case, keys).values()) for case in cases})
    named = "; ".join(_words(dict(zip(keys, values, strict=True))) for values in found[:MOST_NAMED])
    return named + (f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else "")


def _values(case: Case, keys: dict[str, Any]) -> dict[str, Any]:
    return {key: getattr(case, key) for key in keys}


def _words(values: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
