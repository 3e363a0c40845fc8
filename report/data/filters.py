"""Rows that `--set` selects."""

from dataclasses import replace
from typing import Any

from report.data.selection import GridTable
from report.wording.units import plural
from study.case import ARGUMENT, Case
from study.errors import ConfigError
from study.models import kinds_with
from study.text import shortened

MOST_NAMED = 10  # settings, in the message that lists what exists


def filter_tables(grid_tables: list[GridTable], values: dict[str, Any]) -> list[GridTable]:
    """Return the tables that have cases with these values, without their other rows.

    A case whose schedule or kind of model lacks one of the keys is kept if its other values fit.

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
    if not settings and (kinds := _kinds_without(cases, keys)):
        return f"kind {' and '.join(kinds)} {plural(len(kinds), 'lacks', 'lack')} it"
    if not settings:
        schedules = " and ".join(sorted({case.schedule for case in cases}))
        return f"{schedules} {plural(len({case.schedule for case in cases}), 'lacks', 'lack')} it"
    more = len(settings) - MOST_NAMED
    return f"there are {named}" + (f"; and {more} more" if more > 0 else "")


def _kinds_without(cases: list[Case], keys: dict[str, Any]) -> list[str]:
    """Return the kinds of models of the cases where none of them has one of these keys."""
    kinds = sorted({case.kind for case in cases})
    having = [_kinds_with(key, cases) for key in keys]
    return kinds if any(not set(kinds) & set(its) for its in having) else []


def _kinds_with(key: str, cases: list[Case]) -> list[str]:
    if key.startswith(ARGUMENT):
        return [case.kind for case in cases if case.has_key(key)]
    return kinds_with(key)


def _values(case: Case, keys: dict[str, Any]) -> dict[str, Any]:
    """Return the case's values of these keys, without keys that it lacks."""
    return {key: case.value(key) for key in keys if key == "kind" or case.has_key(key)}


def _fits(case: Case, values: dict[str, Any]) -> bool:
    return all(values[key] == value for key, value in _values(case, values).items())


def _words(values: dict[str, Any]) -> str:
    return ", ".join(f"{key}={_word(value)}" for key, value in values.items())


def _word(value: Any) -> str:
    """Return a value as `--set` takes it."""
    return str(value).lower() if isinstance(value, bool) else shortened(str(value))
