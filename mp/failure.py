"""Which outcome an error stands for."""

import torch

from study.errors import GpuMismatch
from study.outcome import ResultOutcome


def outcome_of(error: Exception) -> ResultOutcome:
    """The outcome that this error stands for."""
    if isinstance(error, GpuMismatch):
        return "gpu_mismatch"
    if isinstance(error, torch.OutOfMemoryError):
        return "oom_gpu"
    # On the CPU torch raises a plain RuntimeError, which only its text tells apart.
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        return "oom_host"
    return "error"
