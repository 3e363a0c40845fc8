"""The machine and software of two results, and in what they differ."""

from collections.abc import Callable
from typing import Any

from predict.memory.gpu_size import model_of
from study.results.environment import Environment
from study.results.result import Result

# Reasons for which a GPU slows down that are no part of its normal work, in NVML's words.
HEAT = frozenset({"sw_thermal_slowdown", "hw_thermal_slowdown", "hw_slowdown", "hw_power_brake"})

TF32 = "TF32"
PRODUCTS_IN_TF32 = frozenset({"float32", "tf32"})  # dtypes


def _of_gpus(key: str) -> Callable[[Environment], Any]:
    return lambda environment: sorted({str(getattr(gpu, key)) for gpu in environment.gpus})


# What must be the same for times to hold, and how to read it; unknown differs from nothing.
_ALIKE: dict[str, Callable[[Environment], Any]] = {
    "GPU": _of_gpus("name"),
    "torch": lambda environment: environment.torch,
    "driver": lambda environment: environment.driver,
    "NCCL": lambda environment: environment.nccl,
    TF32: lambda environment: environment.tf32,
    "power limit (W)": _of_gpus("power_limit_w"),
}


def difference(a: Result, b: Result) -> str | None:
    """Return in what two machines differ, e.g. `torch (2.11.0 and 2.13.0)`; None if in nothing.

    Args:
        a: a result.
        b: another one.
    """
    one, other = a.environment, b.environment
    if one is None or other is None:
        return None
    for name, read in _ALIKE.items():
        if name == TF32 and not _has_tf32(a, b):
            continue
        left, right = read(one), read(other)
        if left is None or right is None or left == right:
            continue
        return f"{name} ({_words(left)} and {_words(right)})"
    return None


def other_gpu(result: Result, gpu_type: str) -> str | None:
    """Return the GPU of a result where a type asks for another; None where nobody can tell.

    Args:
        result: measured on some GPU.
        gpu_type: as Slurm has it; empty where any will do.
    """
    wanted = model_of(gpu_type)
    names = [gpu.name for gpu in result.environment.gpus] if result.environment else []
    others = (name for name in names if wanted and model_of(name) not in (None, wanted))
    return next(others, None)


def _has_tf32(a: Result, b: Result) -> bool:
    """Return whether TF32 may change their times: of one dtype, whose products it can compute."""
    return a.case.dtype == b.case.dtype and a.case.dtype in PRODUCTS_IN_TF32


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return str(value)


def heat_of(result: Result) -> str | None:
    """Return the first reason for which a GPU of a calibration was slowed by heat or the supply."""
    environment, calibration = result.environment, result.calibration
    gpus = environment.gpus if environment is not None else []
    states = [state for gpu in gpus for state in (gpu.before, gpu.after) if state is not None]
    loaded = calibration.under_load if calibration is not None else ()
    given = [*(s.throttle_reasons for s in states), *(t.throttle_reasons for t in loaded)]
    return next((reason for reasons in given for reason in reasons or () if reason in HEAT), None)
