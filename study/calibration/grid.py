"""The grid `calibration`, which has no file: its cases follow from another grid's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from study.calibration.cases import TIME_LIMIT_S, calibration_cases
from study.case import Case
from study.errors import ConfigError
from study.grids.file import load_grids
from study.grids.grid import Grid
from study.values.keys import check_value

NAME = "calibration"  # of the grid, and of its table
TITLE = "Calibration: what the steps of predictions are made of"


@dataclass(frozen=True)
class CalibrationGrid(Grid):
    """All calibrations, or those for the cases of other grids.

    Attributes:
        calibrated: its cases; None where no grid was named, and all that were measured are meant.
    """

    calibrated: tuple[Case, ...] | None = None

    def cases(self) -> list[Case]:
        """Return the cases, and all of them again for each repeat; none without another grid."""
        again, once = range(1, self.repeats + 1), self.calibrated or ()
        return [msgspec.structs.replace(case, repeat=number) for number in again for case in once]

    def contains(self, case: Case) -> bool:
        """Return whether the case is one of these calibrations, or repeats one."""
        if self.calibrated is None:
            return case.is_calibration
        return case.configuration in self.calibrated

    def with_overrides(self, overrides: dict[str, Any]) -> "CalibrationGrid":
        """Return the same grid: `--set` belongs to the grid that it calibrates for."""
        return self

    def with_repeats(self, repeats: int) -> "CalibrationGrid":
        """Return the same grid with as many jobs for each case."""
        return replace(self, repeats=repeats)

    def check_file(self) -> None:
        """Do nothing: the files of factories were read with the other grid."""


def all_calibrations() -> CalibrationGrid:
    """Return the grid that contains every calibration."""
    return CalibrationGrid(NAME, NAME, TITLE, NAME, axes={"gpus": (1, 2)})


def load_all(names: Sequence[str]) -> list[Grid]:
    """Return the grids of these names or paths, `calibration` among them.

    Raises:
        ConfigError: there is no such grid, or its file is wrong.
    """
    grids: list[Grid] = []
    for name in names:
        grids += [all_calibrations()] if name == NAME else load_grids([name])
    return grids


def check_for(names: Sequence[str], calibrated: Sequence[str], *, is_needed: bool) -> None:
    """Refuse `--for` without the grid `calibration`, that grid without it, and others next to it.

    Args:
        names: of `--grid`.
        calibrated: of `--for`.
        is_needed: whether `calibration` is to be submitted.

    Raises:
        ConfigError: it names the option, and what to do.
    """
    if calibrated and NAME not in names:
        raise ConfigError("--for", f"is of --grid {NAME} alone; name that grid, or remove --for")
    if NAME in names and {*names} != {NAME}:
        raise ConfigError("--grid", f"{NAME} next to other grids; submit it by itself")
    if NAME in names and is_needed and not calibrated:
        raise ConfigError("--for", f"missing with --grid {NAME}; name a grid, e.g. --for pipeline")


def calibration_for(
    grids: Sequence[Grid], overrides: dict[str, Any], nodes_of: Callable[[Case], int]
) -> CalibrationGrid:
    """Return the calibrations for the cases of some grids.

    Args:
        grids: with the overrides.
        overrides: the `--set` values; `time_limit_s` is that of each calibration.
        nodes_of: on how many nodes a case runs.

    Raises:
        ConfigError: their cases cannot be calibrated, or cannot run.
    """
    limit_s = check_value("time_limit_s", overrides.get("time_limit_s", TIME_LIMIT_S), "--set")
    for grid in grids:
        grid.check_file()
    cases = dict.fromkeys(case for grid in grids for case in grid.cases())
    source = ", ".join(dict.fromkeys(grid.source for grid in grids))
    found = tuple(calibration_cases(list(cases), nodes_of, source, limit_s))
    return replace(all_calibrations(), calibrated=found)
