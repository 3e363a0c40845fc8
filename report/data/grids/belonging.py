"""Submissions of a grid: by its name, or by the case and what `--set` changed."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from report.data.load import ProfileResults
from study.errors import ConfigError
from study.grids.file import known_grids, load_grids
from study.grids.grid import Grid
from study.storage.ledger import Submission
from study.values.keys import DEFAULTS


def telling(grid: Grid, profile: ProfileResults, named: Sequence[Grid]) -> list[Submission]:
    """Return the submissions whose `--set` may be one of this grid, too.

    One of an unknown grid is, unless this grid was submitted by its name: then it is not the
    same grid in a file of another name.

    Args:
        grid: The grid.
        profile: Whose submissions they are.
        named: Grids that are known besides the built-in ones.
    """
    if not any(submission.grid == grid.name for submission in profile.submissions):
        return profile.submissions
    return [s for s in profile.submissions if s.grid == grid.name or _called(s.grid, named)]


def belongs(submission: Submission, grid: Grid, named: Sequence[Grid] = ()) -> bool:
    """Return True if the grid with the same `--set` has the case: task 4's cases are task 5's too.

    A grid that the case was not submitted by must agree in the keys that neither varies: a naive
    case of `pipeline` is not task 4's, even if `--set` made the two equal.

    Args:
        submission: Of this grid or another.
        grid: The grid.
        named: Grids that are known besides the built-in ones.
    """
    changes = changes_of(submission, grid, named)
    try:
        changed = grid.with_overrides(changes) if changes else grid
        has = changed.contains(submission.case)
    except ConfigError:  # `--set` of another grid, with which this one has no case
        return False
    return has and (submission.grid == grid.name or _are_set_alike(grid, submission.grid, named))


def changes_of(submission: Submission, grid: Grid, named: Sequence[Grid]) -> dict[str, Any]:
    """Return the `--set` of a submission without values that only chose cases of another grid.

    With an axis `micro_batches: [8, 16]` there, `--set micro_batches=16` changes nothing.

    Args:
        submission: Of this grid or another.
        grid: The grid.
        named: Grids that are known besides the built-in ones.
    """
    if submission.grid == grid.name:
        return submission.overrides
    axes = [other.axes for other in _called(submission.grid, named)]
    return {
        key: value
        for key, value in submission.overrides.items()
        if not any(value in its.get(key, ()) for its in axes)
    }


def _are_set_alike(grid: Grid, name: str, named: Sequence[Grid]) -> bool:
    """Return True if both grids set the keys alike that neither varies, or `name` is unknown."""
    return all(
        other.kind == grid.kind
        and all(
            other.setting.get(key, DEFAULTS.get(key)) == grid.setting.get(key, DEFAULTS.get(key))
            for key in (DEFAULTS if grid.kind == "linear" else {*other.setting, *grid.setting})
            if key not in {*other.axes, *grid.axes, "factory", "sha256"}
        )
        for other in _called(name, named)
    )


def _called(name: str, named: Sequence[Grid]) -> list[Grid]:
    return [grid for grid in named if grid.name == name] or _built_in(name)


@cache  # asked of thousands of submissions
def _built_in(name: str) -> list[Grid]:
    return load_grids([name]) if name in known_grids() else []
