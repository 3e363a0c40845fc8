"""Tables of a grid: one for each profile and setting, with a row for each point of its axes."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from report.data.grids.belonging import belongs, changes_of, telling
from report.data.grids.factory_files import newest_file, of_measured_files
from report.data.grids.gpu_counts import with_measured_gpu_counts
from report.data.load import NOT_SUBMITTED, ProfileResults
from report.data.measured import MeasuredCase
from report.data.rows import Row, row_with_repeats
from study.case import Case
from study.errors import ConfigError
from study.grids.grid import Grid
from study.models import KINDS
from study.validation import check_together
from study.values.keys import DEFAULTS, folded

GRADIENTS = "gradients"
Setting = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class GridTable:
    """The rows of one table.

    `changed` has the keys that differ from the grid's own setting, `asked` the cases of the grid's
    file in this setting, whatever the rows are.
    """

    grid: Grid
    profile: str | None
    changed: dict[str, Any]
    rows: list[Row]
    asked: Sequence[Case] = ()

    @cached_property
    def results(self) -> list[MeasuredCase]:
        """The measured cases, in the order of the rows."""
        return [row.measured for row in self.rows if row.measured is not None]

    @property
    def is_own_setting(self) -> bool:
        """True for the setting of the grid, or its setting when all gradients were separate."""
        before = {GRADIENTS: DEFAULTS[GRADIENTS]} if self.grid.leaves_gradients else {}
        return self.changed in ({}, before)

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """The keys that tell rows apart: the axes, and gradients where their defaults differ."""
        defaults = {row.case.gradients for row in self.rows if row.case.has_key(GRADIENTS)}
        return tuple(dict.fromkeys([*self.grid.axes, *[GRADIENTS] * (len(defaults) > 1)]))


def select_tables(
    grid: Grid, profiles: list[ProfileResults], named: Sequence[Grid] = ()
) -> list[GridTable]:
    """Return the tables of a grid; if none of its cases was started, one without results.

    Args:
        grid: The grid.
        profiles: All that was loaded.
        named: Grids that are known besides the built-in ones.
    """
    if found := select_started(grid, profiles, named):
        return found
    rows = [Row(case, None, NOT_SUBMITTED) for case in grid.cases()]
    return [GridTable(grid, None, {}, rows, grid.cases())]


def select_started(
    grid: Grid, profiles: list[ProfileResults], named: Sequence[Grid] = ()
) -> list[GridTable]:
    """Return the tables of a grid of which a case was started.

    Those of a factory are of the files that were submitted, and its file is not needed.

    Args:
        grid: The grid.
        profiles: All that was loaded.
        named: Grids that are known besides the built-in ones.
    """
    found = [
        _make_table(known, variant, profile, setting)
        for profile in profiles
        if (known := of_measured_files(grid, profile)) is not None
        for variant in _variants(known, profile, named)
        for setting in _settings(known, variant, profile, named)
    ]
    return [table for at, table in enumerate(found) if not _is_in_another(at, found)]


def _is_in_another(at: int, found: list[GridTable]) -> bool:
    """Return True if another table has all cases of this one and more, or one before it the same.

    `--set gpus=4` gives task 4 a table to itself, which then has all GPU counts as the first does.
    """
    cases = {row.case for row in found[at].rows}
    others = [(n, {r.case for r in t.rows}) for n, t in enumerate(found)
              if n != at and t.profile == found[at].profile]  # fmt: skip
    return any(cases < its or (cases == its and n < at) for n, its in others)


def _variants(grid: Grid, profile: ProfileResults, named: Sequence[Grid]) -> Iterator[Grid]:
    """Yield the grid, then the grid with each set of axis values that `--set` once gave it."""
    yield grid
    seen: list[dict[str, Any]] = []
    for submission in telling(grid, profile, named):
        changes = changes_of(submission, grid, named)
        moved = {key: value for key, value in changes.items() if key in grid.axes}
        elsewhere = any(value not in grid.axes[key] for key, value in moved.items())
        if elsewhere and moved not in seen and belongs(submission, grid, named):
            seen.append(moved)
            yield grid.with_overrides(moved)


def _settings(
    grid: Grid, variant: Grid, profile: ProfileResults, named: Sequence[Grid]
) -> list[Setting]:
    """Return the settings in which a point of the axes was started; the grid's own first.

    A case that only another grid describes is left to that grid.
    """
    own = _setting(grid, grid.first_case())
    fitting = {
        case
        for case in profile.cases
        if case.kind == grid.kind
        and all(_fits(case, key, values, variant) for key, values in variant.axes.items())
    }
    submissions = [s for s in profile.submissions if s.case in fitting] if fitting else []
    submitted = {submission.case for submission in submissions}
    asking = (s for s in telling(grid, profile, named) if s.case in fitting)
    ours = {s.case for s in asking if belongs(s, grid, named)}
    started = [
        case
        for case in profile.cases
        if case in fitting
        and (case in ours or case not in submitted or _setting(grid, case) == own)
    ]
    # One case of each setting will do: there may be thousands.
    distinct = {(case.schedule, _own(case, grid)): case for case in started}.values()
    found: dict[Setting, None] = {}
    # A case that lacks a key goes with any setting of it; alone it makes a setting.
    for case in sorted(distinct, key=lambda case: len(grid.keys_of_others(case.schedule))):
        if not any(all(_fits(case, key, (v,), grid) for key, v in setting) for setting in found):
            found[_setting(grid, case)] = None
    having = {
        setting: {c for c in distinct if all(_fits(c, key, (v,), grid) for key, v in setting)}
        for setting in found
    }
    # Cases of before fit the default of gradients and `separate`; one table has them all.
    whole = [s for s in found if not any(having[s] < others for others in having.values())]
    return sorted(whole, key=lambda setting: setting != own)


def _fits(case: Case, key: str, values: Sequence[Any], grid: Grid) -> bool:
    """Return True if the case has one of the values, or its schedule has no such key."""
    if case.value(key) in values or key in grid.keys_of_others(case.schedule):
        return True
    return key == GRADIENTS and None in values and _has_default_gradients(case, grid)


def _setting(grid: Grid, case: Case) -> Setting:
    """Return the values of all keys that are not axes, without `repeat`.

    A key that only other schedules of the grid have takes the grid's value.
    """
    not_its = grid.keys_of_others(case.schedule)
    return tuple(
        (key, _of_grid(key, grid) if key in not_its else value) for key, value in _own(case, grid)
    )


def _of_grid(key: str, grid: Grid) -> Any:
    """Return the grid's value of a key; None for gradients that have the default of each case."""
    if key == GRADIENTS and grid.leaves_gradients:
        return None
    return grid.setting.get(key, DEFAULTS[key])


def _own(case: Case, grid: Grid) -> Setting:
    """Return the case's values of the keys that are no axes, without `repeat`.

    That of gradients is None where it is what the grid leaves to the case.
    """
    values = case.flat()
    if GRADIENTS in values and _has_default_gradients(case, grid):
        values[GRADIENTS] = None
    return tuple((key, v) for key, v in values.items() if key not in grid.axes and key != "repeat")


def _has_default_gradients(case: Case, grid: Grid) -> bool:
    default = grid.gradients_of(case.schedule, case.execution)
    return grid.leaves_gradients and case.gradients == default


def _make_table(grid: Grid, variant: Grid, profile: ProfileResults, setting: Setting) -> GridTable:
    own = dict(_setting(grid, grid.first_case()))
    changed = {key: value for key, value in setting if value != own.get(key)}
    changed |= {key: v[0] for key, v in variant.axes.items() if v != grid.axes[key]}
    points = dict.fromkeys(_points(variant, dict(setting)))
    newest = newest_file(points, profile)
    rows = [
        row
        for case in with_measured_gpu_counts(points, variant, profile)
        if (row := row_with_repeats(case, profile)).is_started or case.sha256 == newest
    ]
    points = points if variant is grid else dict.fromkeys(_points(grid, dict(setting)))
    asked = [case for case in points if case.sha256 == newest]
    return GridTable(variant, profile.profile, changed, rows, asked)


def _points(grid: Grid, setting: dict[str, Any]) -> Iterator[Case]:
    for values in itertools.product(*grid.axes.values()):
        values_of_all = setting | dict(zip(grid.axes, values, strict=True))
        for key in grid.keys_of_others(values_of_all.get("schedule", DEFAULTS["schedule"])):
            values_of_all.pop(key, None)
        if values_of_all.get(GRADIENTS, "") is None:
            schedule = values_of_all.get("schedule", DEFAULTS["schedule"])
            values_of_all[GRADIENTS] = grid.gradients_of(schedule, values_of_all.get("execution"))
        values_of_all.setdefault("depth", 1)  # a program has none
        case = Case(**{**KINDS[grid.kind].defaults, **folded(values_of_all)})
        with suppress(ConfigError):  # e.g. 5 GPUs with split: half
            check_together(case, grid.source)
            yield case
