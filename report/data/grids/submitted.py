"""Tables of what was submitted or measured, without the cases that nobody asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from report.data.filters import filter_tables
from report.data.grids.belonging import belongs
from report.data.grids.unknown_grids import tables_of_others
from report.data.load import ProfileResults
from report.data.selection import GridTable, select_started, select_tables
from study.case import Case
from study.grids.file import known_grids, load_grids
from study.grids.grid import Grid


@dataclass(frozen=True)
class Shown:
    """Tables with started cases alone, and what was left out of them.

    Attributes:
        tables: Of grids that were submitted, or whose cases were all measured for another grid.
        not_submitted: Tasks of the homework, and numbers of cases of other tables, in words.
        unnamed: Number of results that belong to no grid that is known.
    """

    tables: list[GridTable]
    not_submitted: list[str]
    unnamed: int = 0

    def with_tables(self, tables: list[GridTable]) -> "Shown":
        """Return the same with more tables behind the others."""
        return replace(self, tables=[*self.tables, *tables])


def select_submitted(profiles: list[ProfileResults]) -> Shown:
    """Return the tables of every grid that was submitted, and of those that it answers, too."""
    homework = load_grids(["homework"])
    others = load_grids([name for name in known_grids() if name not in _names(homework)])
    others = [grid for grid in others if grid.name not in _names(homework)]
    tables, left, unnamed = [], list[str](), 0
    for profile in profiles:
        candidates = [
            table for grid in [*homework, *others] for table in select_started(grid, [profile])
        ]
        chosen = _choose(candidates, profile, _names(homework))
        tables += chosen
        rest = set(profile.cases) - _cases(chosen)
        from_ledger, unnamed_here = tables_of_others(profile, rest)
        tables += from_ledger
        unnamed += unnamed_here
    order = [*_names(homework), *_names(others)]
    tables.sort(key=lambda t: order.index(t.grid.name) if t.grid.name in order else len(order))
    shown = {table.grid.name for table in tables}
    if any(name in shown for name in _names(homework)):
        left = [", ".join(name for name in _names(homework) if name not in shown)]
    left += [words for table in tables if (words := _partly(table))]
    return Shown([_started(table) for table in tables], list(filter(None, left)), unnamed)


def select_named(grids: Sequence[Grid], profiles: list[ProfileResults]) -> list[GridTable]:
    """Return the tables of these grids, without cases that no submission asked for.

    A grid has no table of a profile where it was not submitted and has a part of its cases from
    other grids, if it was submitted in another profile.
    """
    found = []
    for grid in grids:
        tables = select_tables(grid, profiles, grids)
        submitted = {
            profile.profile
            for profile in profiles
            if any(submission.grid == grid.name for submission in profile.submissions)
        }
        if any(table.profile in submitted for table in tables):
            tables = [
                table
                for table in tables
                if table.profile in submitted
                or all(row.is_started for row in table.rows)
                or _is_unexplained(table, profiles)
            ]
        found += [without_replaced(table, profiles, grids) for table in tables]
    return found


def _is_unexplained(table: GridTable, profiles: list[ProfileResults]) -> bool:
    """Return True if a result of the table has no submission: any grid may have asked for it."""
    (submitted,) = (
        {submission.case for submission in profile.submissions}
        for profile in profiles
        if profile.profile == table.profile
    )
    started = {job.case for row in table.rows if row.is_started for job in row.jobs}
    return not started <= submitted


def without_replaced(
    table: GridTable, profiles: list[ProfileResults], named: Sequence[Grid] = ()
) -> GridTable:
    """Return the table without cases that no submission asked for, since `--set` replaced a value.

    A table without submissions stays as it is: every case of its grid is missing there.

    Args:
        table: The table.
        profiles: All that was loaded.
        named: Grids that are known besides the built-in ones.
    """
    for profile in profiles:
        if profile.profile == table.profile:
            return _without_replaced(table, profile, named)
    return table


def without_unstarted(shown: Shown) -> Shown:
    """Return the same without tables of grids of which nothing was started, if others were."""
    started = [table for table in shown.tables if table.profile is not None]
    if not started:
        return shown
    names = dict.fromkeys(t.grid.name for t in shown.tables if t.profile is None)
    left = [", ".join(names)] if names else []
    return replace(shown, tables=started, not_submitted=[*shown.not_submitted, *left])


def narrowed(shown: Shown, values: dict[str, Any]) -> Shown:
    """Return the cases with these values alone; what else was not submitted is not asked for.

    Raises:
        ConfigError: No case has these values.
    """
    return replace(shown, tables=filter_tables(shown.tables, values), not_submitted=[])


def only_homework(shown: Shown) -> Shown:
    """Return the tables of the homework's tasks, without their missing cases."""
    tasks = _names(load_grids(["homework"]))
    return replace(shown, tables=[table for table in shown.tables if table.grid.name in tasks])


def _without_replaced(
    table: GridTable, profile: ProfileResults, named: Sequence[Grid] = ()
) -> GridTable:
    """Return the table without cases that nobody asked for.

    Submissions of the table's own grid say what was asked for, those of others where it has none.
    """
    if all(row.is_started for row in table.rows):
        return table
    cases = _cases([table])
    ours = [
        submission
        for submission in profile.submissions
        if submission.case in cases and belongs(submission, table.grid, named)
    ]
    own = [submission for submission in ours if submission.grid == table.grid.name]
    asked: list[Grid] = []
    for submission in own or ours:
        grid = table.grid.with_overrides(submission.overrides)
        if grid not in asked:
            asked.append(grid)
    if not asked:
        return table
    rows = [r for r in table.rows if r.is_started or any(g.contains(r.case) for g in asked)]
    return replace(table, rows=rows)


def _choose(
    candidates: list[GridTable], profile: ProfileResults, tasks: list[str]
) -> list[GridTable]:
    """Return tables of the grids that were submitted, and of others that need nothing more.

    Results without a submission choose the tables of which they are the largest part.

    Args:
        candidates: All tables with a case that was started.
        profile: What was submitted and measured.
        tasks: Names of grids that are looked for in any setting, and others in their own alone.
    """
    by_name: dict[str, set[Case]] = {}
    for submission in profile.submissions:
        by_name.setdefault(submission.grid, set()).add(submission.case)
    named = [t for t in candidates if by_name.get(t.grid.name, set()) & _cases([t])]
    twins = [t for t in candidates if any(_is_twin(t, other) for other in named)]
    guessed = [t for t in candidates if t.is_own_setting or t.grid.name in tasks]
    guessed = [t for t in guessed if not t.changed.keys() & t.grid.axes.keys()]
    complete = [t for t in guessed if all(row.is_started for row in t.rows)]
    chosen = [t for t in candidates if _is_in(t, (*named, *twins, *complete))]
    rest = set(profile.results) - {s.case for s in profile.submissions} - _cases(chosen)
    while rest:
        having = [t for t in guessed if _cases([t]) & rest]
        if not having:
            break
        most = max(map(_share_started, having))
        nearest = [t for t in having if _share_started(t) == most]
        chosen += nearest
        rest -= _cases(nearest)
    return [_without_replaced(table, profile) for table in candidates if _is_in(table, chosen)]


def _is_twin(table: GridTable, other: GridTable) -> bool:
    """Return True if both grids ask for the same cases in the same setting, as tasks 4 and 5 do."""
    mine, its = table.grid, other.grid
    return (mine.axes, mine.setting, table.changed) == (its.axes, its.setting, other.changed)


def _is_in(table: GridTable, tables: Iterable[GridTable]) -> bool:
    return any(table is other for other in tables)


def _share_started(table: GridTable) -> float:
    return sum(row.is_started for row in table.rows) / len(table.rows)


def _started(table: GridTable) -> GridTable:
    return replace(table, rows=[row for row in table.rows if row.is_started])


def _partly(table: GridTable) -> str:
    """Return how many of the table's cases were not submitted, in words; empty if all were."""
    missing = sum(not row.is_started for row in table.rows)
    # A table of memory has GPU counts of other grids, too.
    count = sum(
        row.case.gpus in table.grid.axes.get("gpus", (row.case.gpus,)) for row in table.rows
    )
    changed = ", ".join(f"{key}={value}" for key, value in table.changed.items())
    name = f"{table.grid.name} ({changed})" if changed else table.grid.name
    return f"{missing} of {count} cases of {name}" if missing else ""


def _cases(tables: Iterable[GridTable]) -> set[Case]:
    return {job.case for table in tables for row in table.rows for job in row.jobs}


def _names(grids: list[Grid]) -> list[str]:
    return [grid.name for grid in grids]
