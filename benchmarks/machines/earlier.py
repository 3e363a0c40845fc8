"""What an earlier call measured."""

from collections.abc import Container
from pathlib import Path

from benchmarks.machines.summary import results_of
from study.case import Case
from study.results.result import Result


def measured_before(folder: Path, gpus: Container[str] | None) -> set[tuple[str, Case]]:
    """Return the cases that need not be measured again, each with its profile.

    Calibrations of other GPUs are not among them: each machine makes its own.

    Args:
        folder: of the earlier call.
        gpus: NVML's UUIDs of the GPUs of this machine; None means those of the earlier call.
    """
    return {
        (profile, case)
        for profile, found in results_of(folder).items()
        for case, result in found.items()
        if result.error is None and (gpus is None or _holds_on(gpus, result))
    }


def _holds_on(gpus: Container[str], result: Result) -> bool:
    if not result.case.is_calibration or result.environment is None:
        return True
    return all(f"GPU-{gpu.uuid}" in gpus for gpu in result.environment.gpus)
