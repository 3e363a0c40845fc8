"""A planned case: the decision of the plan, and what an executor needs to know to run it."""

from dataclasses import dataclass, field
from typing import Any

from jobs.profile import Profile
from study.case import Case
from study.errors import ConfigError
from study.outcome import Outcome
from study.storage.prediction import Prediction


@dataclass(frozen=True)
class PlannedCase:
    """A case of the plan. `left_out` says why it will not run; None means it will.

    Attributes:
        number: which attempt at its case the next job is, from 1.
        previous: the outcome of its last attempt, if it runs again.
        exclude: nodes that failed it, joined by commas; its next job leaves them out.
        replaces: a job that is held for ever, to be cancelled first.
        trace: its job writes a trace next to the result.
        prediction: of its step, for the ledger; None without one.
        no_prediction: why there is none, where there are calibrations.
    """

    case: Case
    grid: str
    overrides: dict[str, Any] = field(default_factory=dict)
    left_out: str | None = None
    failed: bool = False
    number: int = 1
    previous: Outcome | None = None
    exclude: str = ""
    replaces: str | None = None
    trace: bool = False
    prediction: Prediction | None = None
    no_prediction: str = ""


def to_run(planned: list[PlannedCase]) -> list[PlannedCase]:
    """Return the cases that are not left out."""
    return [each for each in planned if each.left_out is None]


def count_gpus(gpus: int) -> str:
    """Return `1 GPU`, `2 GPUs`."""
    return f"{gpus} GPU" if gpus == 1 else f"{gpus} GPUs"


def gpu_hours(planned: list[PlannedCase], timeout_min: int) -> float:
    """Return the cost of the jobs if each runs into its time limit."""
    return sum(each.case.gpus for each in planned) * timeout_min / 60


def check_gpu_hours(planned: list[PlannedCase], profile: Profile, most: float | None) -> None:
    """Refuse a plan that could cost too much.

    Args:
        planned: the cases that run.
        profile: has the time limit of a job.
        most: GPU-hours; None is no limit.

    Raises:
        ConfigError: the plan could cost more, or nothing bounds its cost.
    """
    if most is None or not planned:
        return
    if profile.timeout_min is None:
        raise ConfigError(
            "--max-gpu-hours", f"{profile.source} has no time limit, so nothing bounds the cost"
        )
    hours = gpu_hours(planned, profile.timeout_min)
    if hours > most:
        raise ConfigError(
            "--max-gpu-hours",
            f"{most:g} is less than the {hours:.2f} GPU-hours that the plan could cost; "
            "nothing was submitted; allow more, or take a smaller grid or a lower timeout_min",
        )
