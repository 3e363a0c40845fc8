"""Tables of grids whose files are not known: the ledger tells their cases, and so their axes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from report.data.labels import keys_of
from report.data.load import ProfileResults
from report.data.rows import row_with_repeats
from report.data.selection import GridTable
from study.case import Case
from study.grids.grid import Grid
from study.schedules import SCHEDULES
from study.storage.ledger import Submission
from study.values.keys import DEFAULTS

Setting = tuple[tuple[str, Any], ...]


def tables_of_others(profile: ProfileResults, cases: set[Case]) -> tuple[list[GridTable], int]:
    """Return tables of these cases as they were submitted, and the number of other results."""
    found: defaultdict[tuple[str, str], list[Submission]] = defaultdict(list)
    for submission in profile.submissions:
        if submission.case in cases:
            found[submission.grid, submission.case.kind].append(submission)
    tables = [table for (name, _), its in found.items() for table in _tables(profile, name, its)]
    submitted = {submission.case for its in found.values() for submission in its}
    return tables, len((cases & profile.results.keys()) - submitted)


def _tables(
    profile: ProfileResults, name: str, submissions: Sequence[Submission]
) -> list[GridTable]:
    """Return a table for each setting of the keys that no submission varied."""
    axes = _axes(submissions)
    settings: defaultdict[Setting, dict[Case, dict[str, Any]]] = defaultdict(dict)
    for submission in submissions:
        case = submission.case.configuration
        setting = tuple((k, v) for k, v in case.flat().items() if k not in (*axes, "repeat"))
        settings[setting].setdefault(case, submission.overrides)
    return [_table(profile, name, axes, its, dict(s)) for s, its in settings.items()]


def _axes(submissions: Sequence[Submission]) -> list[str]:
    """Return depth, GPUs, and the keys that differ among cases with the same overrides.

    Files of one factory are rows of one table, too: the ledger has none of them as an override.
    """
    groups: defaultdict[str, set[Case]] = defaultdict(set)
    for submission in submissions:
        groups[repr(sorted(submission.overrides.items()))].add(submission.case.configuration)
    everything = set().union(*groups.values())
    keys = [key for key in keys_of(everything) if key != "repeat"]
    always = {key for key in ("depth", "gpus") if any(case.has_key(key) for case in everything)}
    if len({case.sha256 for case in everything}) > 1:
        always.add("sha256")
    varied = {
        key
        for cases in groups.values()
        for key in keys
        if len({case.value(key) for case in cases}) > 1
    }
    return [key for key in keys if key in varied | always]


def _table(
    profile: ProfileResults,
    name: str,
    axes: Sequence[str],
    cases: dict[Case, dict[str, Any]],
    setting: dict[str, Any],
) -> GridTable:
    values = {key: _in_order(key, (case.value(key) for case in cases)) for key in axes}
    places = {key: {value: place for place, value in enumerate(its)} for key, its in values.items()}
    ordered = sorted(cases, key=lambda case: [places[key][case.value(key)] for key in axes])
    grid = Grid(name, str(profile.store.submissions), name, _kind(cases), values, setting)
    changed = {key: v for o in cases.values() for key, v in o.items() if key in setting}
    rows = [row_with_repeats(case, profile) for case in ordered]
    return GridTable(grid, profile.profile, changed, rows, ordered)


def _in_order(key: str, values: Iterable[Any]) -> tuple[Any, ...]:
    """Return the values as a grid's file would have them, each once.

    Numbers ascend and come first, schedules are in our order, and of other texts the default is
    first and the rest as submitted.
    """
    first = [*SCHEDULES] if key == "schedule" else [DEFAULTS.get(key)]

    def place(value: Any) -> tuple[int, float]:
        if isinstance(value, int | float):
            return 0, value
        return 1, first.index(value) if value in first else len(first)

    return tuple(sorted(dict.fromkeys(values), key=place))


def _kind(cases: Sequence[Case] | dict[Case, Any]) -> str:
    """Return the kind of table that suits the cases; the ledger does not tell the grid's own."""
    kinds = {case.kind for case in cases}
    if "linear" not in kinds:
        return "program" if "program" in kinds else "model"
    if any(case.schedule != "naive" for case in cases):
        return "schedules"
    return "memory" if len({case.gpus for case in cases}) > 1 else "step_time"
