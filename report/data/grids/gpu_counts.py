"""Rows beyond a grid's own: GPU counts that another grid measured in the same setting."""

from typing import Any

import msgspec

from report.data.load import ProfileResults
from study.case import Case
from study.grids.grid import Grid


def with_measured_gpu_counts(
    points: dict[Case, None], grid: Grid, profile: ProfileResults
) -> dict[Case, None]:
    """Return the points of a table and the measured cases that differ from them in `gpus` alone.

    Adding GPUs is judged best from all counts that were measured, 1 GPU among them, so a table of
    memory has them all. One of transfers has them where a count of its own has no result of real
    GPUs.
    Other kinds of tables keep their points.

    Args:
        points: The grid's own cases, in order.
        grid: The grid.
        profile: The results to search.
    """
    if grid.table not in ("memory", "transfers") or "gpus" not in grid.axes:
        return points
    if grid.table == "transfers" and all(_is_real(case, profile) for case in points):
        return points
    alike = {_without_gpus(case) for case in points}
    more = {
        case.configuration
        for case, result in profile.results.items()
        if result.error is None and _without_gpus(case.configuration) in alike
    }
    if more <= points.keys():
        return points
    counts = tuple(sorted({case.gpus for case in [*points, *more]}))
    axes = grid.axes | {"gpus": counts}
    return dict.fromkeys(sorted({*points, *more}, key=lambda case: _place(case, axes)))


def _is_real(case: Case, profile: ProfileResults) -> bool:
    jobs = [profile.results.get(job) for job in profile.repeats[case.configuration]]
    return any(job is not None and job.error is None and not job.emulated for job in jobs)


def _without_gpus(case: Case) -> Case:
    return msgspec.structs.replace(case, gpus=0)


def _place(case: Case, axes: dict[str, tuple[Any, ...]]) -> list[int]:
    """Return the case's index along each axis; −1 where its schedule lacks the key."""
    values = [(case.value(key), axis) for key, axis in axes.items()]
    return [axis.index(value) if value in axis else -1 for value, axis in values]
