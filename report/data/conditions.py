"""Conditions of a measurement that must be equal for step times to be compared or combined."""

from collections.abc import Iterable
from dataclasses import replace

from report.data.measured import MeasuredCase, measured
from report.wording.hardware import threads
from report.wording.units import UNKNOWN
from study.results.result import Result

# Visible GPUs change no speed; numbers of threads are compared themselves where a CPU computes.
NEUTRAL_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)

# Conditions that a key of a case changes.
FOLLOWS = {"dtype": "with and without TF32"}


def conditions(result: MeasuredCase, any_software: bool = False) -> dict[str, str]:
    """Return the value of each condition by words that complete "they were measured"."""
    environment = result.environment
    limits = sorted({gpu.power_limit_w or 0.0 for gpu in environment.gpus})
    variables = {
        k: v for k, v in sorted(environment.variables.items()) if k not in NEUTRAL_VARIABLES
    }
    found = {
        "with different numbers of threads in a process": threads(environment) or "any, for GPUs",
        "on different hardware": result.hardware,
        "beside different CPUs": environment.cpu or UNKNOWN,
        "with different power limits": ", ".join(f"{limit:g} W" for limit in limits),
        "with and without TF32": str(environment.tf32),
        "with different variables": str(variables),
    }
    software = {
        "with different versions of torch": environment.torch,
        "with different drivers": environment.driver or UNKNOWN,
    }
    return found if any_software else found | software


def combine(results: Iterable[Result]) -> MeasuredCase | None:
    """Return the jobs of one configuration as one measurement; None if none was measured.

    If their conditions differ, the largest group counts; of equal ones that of the earliest repeat.
    """
    jobs = [job for job in map(measured, results) if job is not None]
    if len(jobs) < 2:
        return jobs[0] if jobs else None
    groups: dict[tuple[object, ...], list[MeasuredCase]] = {}
    for job in jobs:
        groups.setdefault((job.emulated, *conditions(job).values()), []).append(job)
    first, *others = max(groups.values(), key=len)
    return replace(first, repeats=others)
