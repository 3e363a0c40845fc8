"""On what machine predictions hold, and how old their calibrations are."""

from collections.abc import Sequence
from datetime import datetime

from study.results.result import Result

OLD_DAYS = 30


def conditions(results: Sequence[Result], now: datetime) -> list[str]:
    """Return a sentence for each calibration, one before if some are emulated, one if some are old.

    Args:
        results: of the calibrations that were used.
        now: with its time zone.
    """
    emulated = "EMULATED: calibrated without GPUs. No step on GPUs follows from that."
    said = [emulated] if any(result.emulated for result in results) else []
    said += [f"Holds on the machine of {_words(result, now)}." for result in results]
    if any(_days(result, now) > OLD_DAYS for result in results):
        said.append(f"A calibration is older than {OLD_DAYS} days; --force makes a new one.")
    return said


def _words(result: Result, now: datetime) -> str:
    environment, days = result.environment, _days(result, now)
    age = "today" if days == 0 else "1 day ago" if days == 1 else f"{days} days ago"
    if environment is None:
        return f"{result.case_id} ({age})"
    gpus = sorted({gpu.name for gpu in environment.gpus})
    on = f"{result.case.gpus} x {', '.join(gpus)}" if gpus else "the CPU, where GPUs are emulated"
    return f"{result.case_id} ({age} on {environment.host}: {on}, torch {environment.torch})"


def _days(result: Result, now: datetime) -> int:
    try:
        return max(0, (now - datetime.fromisoformat(result.job.finished_at)).days)
    except (ValueError, TypeError):
        return 0
