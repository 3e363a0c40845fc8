"""The jobs of one configuration as one measurement."""

from dataclasses import replace

from report.data.conditions import conditions
from report.data.measured import MeasuredCase


def combine(jobs: list[MeasuredCase]) -> MeasuredCase | None:
    """The jobs that agree on what they were measured with; None for none.

    Where not all do, the largest group counts, and of equal ones that of the earliest repeat.
    """
    if len(jobs) < 2:
        return jobs[0] if jobs else None
    groups: dict[tuple[object, ...], list[MeasuredCase]] = {}
    for job in jobs:
        groups.setdefault((job.emulated, *conditions(job).values()), []).append(job)
    first, *others = max(groups.values(), key=len)
    return replace(first, repeats=others)
