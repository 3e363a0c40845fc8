"""Rows that `--set` selects."""

from dataclasses import replace
from typing import Any

from report.data.selection import GridTable
from report.wording.units import plural
from study.case import Case
from study.errors import ConfigError
from study.schedules import has_key

MOST_NAMED = 10  # settings, in the message that lists what exists


def filter_tables(grid_tables: list[GridTable], values: dict[str, Any]) -> list[GridTable]:
    """Return the tables that have cases with these values, without their other rows.

    A case whose schedule lacks one of the keys is kept if its other values fit.

    Raises:
        ConfigError: No case has these values; the message lists the values that exist.
    """
    narrowed = [
        replace(
            grid_table,
            rows=[row for row in grid_table.rows if _fits(row.case, values)],
            asked=[case for case in grid_table.asked if _fits(case, values)],
        )
        for grid_table in grid_tables
        if any(_values(row.case, values) == values for row in grid_table.rows)
    ]
    if grid_tables and not narrowed:
        cases = [row.case for grid_table in grid_tables for row in grid_table.rows]
        raise ConfigError("--set", f"no case has {_words(values)}; {_existing(cases, values)}")
    return narrowed


def _existing(cases: list[Case], keys: dict[str, Any]) -> str:
    """Return the values of these keys that exist, in words."""
    having = [values for c in cases if (values := _values(c, keys)).keys() == keys.keys()]
    settings = sorted({tuple(values.values()) for values in having})
    named = "; ".join(_words(dict(zip(keys, s, strict=True))) for s in settings[:MOST_NAMED])
    if not settings:
        schedules = " and ".join(sorted({case.schedule for case in cases}))
        return f"{schedules} {plural(len({case.schedule for case in cases}), 'lacks', 'lack')} it"
    more = len(settings) - MOST_NAMED
    return f"there are {named}" + (f"; and {more} more" if more > 0 else "")


def _values(case: Case, keys: dict[str, Any]) -> dict[str, Any]:
    """Return the case's values of these keys, without keys that its schedule lacks."""
    return {key: getattr(case, key) for key in keys if has_key(key, case.schedule)}


def _fits(case: Case, values: dict[str, Any]) -> bool:
    return all(values[key] == value for key, value in _values(case, values).items())


def _words(values: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
