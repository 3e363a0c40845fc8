"""Conditions under which one case was measured that make its step time less than certain."""

from collections.abc import Sequence

from report.data.clocks import GpuClocks, are_unknown, clocks, faults
from report.data.measured import MeasuredCase
from report.wording.units import between, count_of, plural
from study.statistics.samples import are_enough

FEW_STEPS = 30  # below, an interval covers too little where steps depend on one another
OWN_SPREAD = 3  # jobs: from here on the interval is that of jobs, however few steps each has

CLOCKS_UNKNOWN = "clocks and throttling unknown"


def disturbances(result: MeasuredCase) -> list[str]:
    """Return what may have disturbed the measurement of a case, as short phrases."""
    found = [f"{slowed} ({', '.join(reasons)})" if reasons else slowed
             for slowed, reasons in _slowed(result)]  # fmt: skip
    found += [f"throttled: {reason}" for reason in faults(result)
              if not any(reason in phrase for phrase in found)]  # fmt: skip
    if is_unsteady(result):
        found.append("warm-up was not steady")
    if has_few_steps(result):
        found.append(count_of(steps_of(result), "timed step"))
    if hosts := shared_hosts(result):
        found.append(f"ran beside another job on host {', '.join(hosts)}")
    if may_be_unsteady(result):
        found.append("warm-up too short to tell whether it was steady")
    if are_unknown(result):
        found.append(CLOCKS_UNKNOWN)
    return found


def _slowed(result: MeasuredCase) -> list[tuple[str, list[str]]]:
    """Return the clocks of GPUs below their highest with their reasons; one for those alike."""
    alike: dict[tuple[str, tuple[str, ...]], list[GpuClocks]] = {}
    for gpu in clocks(result):
        if gpu.is_low:
            alike.setdefault((gpu.range, tuple(gpu.reasons)), []).append(gpu)
    return [(f"{_names(gpus)} at {seen}", list(reasons))
            for (seen, reasons), gpus in alike.items()]  # fmt: skip


def _names(gpus: list[GpuClocks]) -> str:
    numbers = ", ".join(str(gpu.index) for gpu in gpus)
    return f"GPU{'' if len(gpus) == 1 else 's'} {numbers}"


def why_unfit(result: MeasuredCase) -> str | None:
    """Return why a step time must not be compared with any other; None if it may be.

    Few steps after a warm-up that was not steady are part of the warm-up: 7 such steps were once
    310 times as long as those of the same case later. Few steps alone, or an unsteady warm-up
    before many, are a caution.
    """
    if not are_enough(result.steps_s):
        return "there are too few timed steps or jobs for a confidence interval"
    return cut_short_words([result]) if is_cut_short(result) else None


def is_cut_short(result: MeasuredCase) -> bool:
    """Return True for few steps after a warm-up that is not known to have become steady."""
    return has_few_steps(result) and (is_unsteady(result) or may_be_unsteady(result))


def cut_short_words(results: Sequence[MeasuredCase]) -> str:
    """Return why these, which were cut short, must not be compared."""
    counts = sorted(map(steps_of, results))
    steps = f"{between(counts)} timed {plural(counts[-1], 'step')}"
    had = "had not" if all(map(is_unsteady, results)) else "is not known to have"
    return f"there are only {steps} after a warm-up that {had} become steady"


def steps_of(result: MeasuredCase) -> int:
    """Count the timed steps of all jobs."""
    return sum(map(len, result.steps_s))


def has_few_steps(result: MeasuredCase) -> bool:
    """Return True for fewer than 30 timed steps in one job or two."""
    return len(result.jobs) < OWN_SPREAD and steps_of(result) < FEW_STEPS


def is_unsteady(result: MeasuredCase) -> bool:
    """Return True if the warm-up of a job ended without having become steady."""
    return any(job.measurement.warmup_steady is False for job in result.jobs)


def may_be_unsteady(result: MeasuredCase) -> bool:
    """Return True if no warm-up is known to be unsteady, and one was too short to tell.

    A program warms up by itself, and nobody sees how.
    """
    steady = {job.measurement.warmup_steady for job in result.jobs if job.program is None}
    return None in steady and False not in steady


def shared_hosts(result: MeasuredCase) -> list[str]:
    """Return the hosts on which another job ran at the same time as one of these."""
    return sorted({host for job in result.jobs for host in job.shared_hosts})
