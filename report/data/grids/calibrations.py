"""Tables of calibrations, which are no cases of any other grid."""

from collections.abc import Iterator

from report.data.load import ProfileResults
from report.data.rows import Row
from report.data.selection import GridTable
from study.calibration.grid import all_calibrations
from study.errors import ConfigError
from study.text import one_line


def check_calibrated(profiles: list[ProfileResults], folder: object) -> None:
    """Check that there is a calibration to show.

    Raises:
        ConfigError: There is none.
    """
    if not any(profile.calibrations for profile in profiles):
        raise ConfigError(
            "--grid",
            f"calibration: {folder} has none; submit.py --grid calibration --for GRID measures one",
        )


def calibration_tables(profiles: list[ProfileResults]) -> list[GridTable]:
    """Return a table for each profile that has calibrations, submitted or measured."""
    grid = all_calibrations()
    return [
        GridTable(grid, profile.profile, {}, list(_rows(profile)))
        for profile in profiles
        if profile.calibrations
    ]


def _rows(profile: ProfileResults) -> Iterator[Row]:
    for case, result in profile.calibrations.items():
        if result is None:
            yield Row(case, None, profile.reason(case), profile.outcome(case))
        elif result.error is None:
            yield Row(case, result, None, result.outcome)
        else:
            reason = f"failed: {result.outcome}: {one_line(result.error.message)}"
            yield Row(case, result, reason, result.outcome)
