"""The files of a grid's factory that were submitted or measured, whatever became of them since."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from msgspec import UnsetType

from report.data.load import ProfileResults
from study.case import Case
from study.grids.grid import Grid
from study.values.completion import possible_names


def of_measured_files(grid: Grid, profile: ProfileResults) -> Grid | None:
    """Return the grid with the files that a profile's cases name; None if none is the grid's.

    Of several files, `sha256` becomes an axis, so that each has its rows. A grid of another kind
    of model is returned as it is. No file is read.
    """
    if grid.kind != "factory" or "sha256" in grid.setting:
        return grid
    names = possible_names(str(grid.setting["factory"]))
    found: dict[str, dict[str, None]] = {}
    for case in profile.cases:
        if case.kind == "factory" and case.value("factory") in names:
            found.setdefault(case.value("factory"), {})[case.value("sha256")] = None
    if not found:
        return None
    name, hashes = next((name, [*found[name]]) for name in names if name in found)
    setting: dict[str, Any] = grid.setting | {"factory": name}
    if len(hashes) > 1:
        return replace(grid, setting=setting, axes=grid.axes | {"sha256": tuple(hashes)})
    return replace(grid, setting=setting | {"sha256": hashes[0]})


def newest_file(cases: Iterable[Case], profile: ProfileResults) -> str | UnsetType | None:
    """Return the hash of the factory's file that was submitted last, of those of these cases.

    Of other files nothing is missing: they were replaced. UNSET for other kinds of models, and None
    where the ledger does not tell which of several files came last.
    """
    hashes = {case.sha256 for case in cases}
    if len(hashes) == 1:
        return hashes.pop()
    submitted = [s.case.sha256 for s in profile.submissions if s.case.sha256 in hashes]
    return submitted[-1] if submitted else None
