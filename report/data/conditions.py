"""Conditions of a measurement that must be equal for step times to be compared or combined."""

from collections.abc import Iterable
from dataclasses import replace

from report.data.measured import MeasuredCase
from report.data.variables import Scope, common_scope, variables
from report.wording.hardware import threads
from report.wording.units import UNKNOWN

VARIABLES = "with different variables"
STEPS = "by different figures"  # of programs

# Conditions that a key of a case changes.
FOLLOWS = {"dtype": "with and without TF32"}


def conditions(result: MeasuredCase, scope: Scope, any_software: bool = False) -> dict[str, str]:
    """Return the value of each condition by words that complete "they were measured".

    Args:
        result: A measurement.
        scope: The variables that all measurements to compare with could have recorded.
        any_software: Leave out the versions of torch and of the driver.
    """
    environment = result.environment
    limits = sorted({gpu.power_limit_w or 0.0 for gpu in environment.gpus})
    found = {
        "with different numbers of threads in a process": threads(environment) or "any, for GPUs",
        "on different hardware": result.hardware,
        "beside different CPUs": environment.cpu or UNKNOWN,
        "with different power limits": ", ".join(f"{limit:g} W" for limit in limits),
        "with and without TF32": str(environment.tf32),
        VARIABLES: str(variables(result, scope)),
    }
    if (run := result.program) is not None:
        found[STEPS] = "steps" if run.tells_steps else "the wall time of the whole run"
    software = {
        "with different versions of torch": environment.torch or UNKNOWN,
        "with different drivers": environment.driver or UNKNOWN,
    }
    return found if any_software else found | software


def combine(results: Iterable[MeasuredCase | None]) -> MeasuredCase | None:
    """Return the jobs of one configuration as one measurement; None if none was measured.

    If their conditions differ, the largest group counts; of equal ones that of the earliest repeat.
    """
    jobs = [job for job in results if job is not None]
    if len(jobs) < 2:
        return jobs[0] if jobs else None
    scope = common_scope(jobs)
    groups: dict[tuple[object, ...], list[MeasuredCase]] = {}
    for job in jobs:
        groups.setdefault((job.emulated, *conditions(job, scope).values()), []).append(job)
    first, *others = max(groups.values(), key=len)
    return replace(first, repeats=others)
