"""The error of GPU counts that do not agree, with its likely cause."""

import os
import re

from mp.hardware import nvml
from study.errors import GpuMismatch

TORCH = "torch"
# By these variables Slurm says in a job that it gives each task GPUs of its own.
BINDING = ("SLURM_GPU_BIND", "SLURM_GPUS_PER_TASK", "SLURM_NTASKS_PER_GPU", "SLURM_TRES_PER_TASK")


def gpu_mismatch(
    requested: int,
    visible: int | None,
    allocated: int | None = None,
    on_slurm: bool = False,
    seen_by: str = TORCH,
) -> GpuMismatch:
    """Return the error that holds the numbers and, where something points to it, their cause.

    Args:
        requested: GPUs the case asks for.
        visible: GPUs that are seen, None where nobody asked.
        allocated: GPUs Slurm says it gave, None where it does not say.
        on_slurm: a job of Slurm asks; else nothing is said of Slurm.
        seen_by: who sees GPUs: torch, or NVML where a program has a torch of its own, or none.
    """
    numbers = [f"requested: {requested}"]
    if on_slurm:
        numbers.append(f"allocated by Slurm: {'unknown' if allocated is None else allocated}")
    numbers.append(f"visible to {seen_by}: {'not asked' if visible is None else visible}")
    is_other = on_slurm and allocated not in (None, requested)
    cause = _of_allocation() if is_other else _of_visibility(requested, visible, on_slurm, seen_by)
    return GpuMismatch(f"GPUs {', '.join(numbers)}" + (f"; likely cause: {cause}" if cause else ""))


def _of_allocation() -> str:
    return (
        "something between submit.py and Slurm changes what a job asks for, such as a wrapper of "
        "sbatch or a job_submit plugin; ask the cluster's administrators"
    )


def _of_visibility(requested: int, visible: int | None, on_slurm: bool, seen_by: str) -> str | None:
    if visible is None:
        return None
    if visible == 0:
        return _of_none() if seen_by == TORCH else None
    if visible > requested:
        return _of_too_many()
    if visible < requested:
        return _of_mig() or (_of_binding() if on_slurm else _of_too_few(visible))
    return None


def _of_none() -> str | None:
    """Return why torch sees no GPU at all."""
    import torch

    if not torch.backends.cuda.is_built():
        return f"this torch ({torch.__version__}) is built without CUDA; install one with CUDA"
    try:
        torch.cuda.init()
    except Exception as error:  # torch's own words are all there is to know
        words = re.split(r"\.\s+(?=[A-Z])|\n", str(error).strip())[0].rstrip(".")
        chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
        if chosen is not None and words == "No CUDA GPUs are available":
            return f"CUDA_VISIBLE_DEVICES={chosen!r} names no GPU of this machine"
        driver = nvml.driver_version() or "unknown"
        return (
            f"{words} (torch {torch.__version__} for CUDA {torch.version.cuda}, driver {driver}); "
            "run `nvidia-smi` there"
        )
    return None


def _of_too_many() -> str:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return (
            "Slurm does not hide the node's other GPUs: ConstrainDevices is off in its "
            "cgroup.conf, and CUDA_VISIBLE_DEVICES is not set; ask the cluster's administrators"
        )
    return f"CUDA_VISIBLE_DEVICES={chosen} names more GPUs than Slurm allocated; who sets it?"


def _of_mig() -> str | None:
    if "MIG-" not in os.environ.get("CUDA_VISIBLE_DEVICES", "") and not nvml.mig_is_on():
        return None
    return "the GPUs are split by MIG, and CUDA shows a process one instance; ask for whole GPUs"


def _of_binding() -> str:
    found = [f"{name}={os.environ[name]}" for name in BINDING if name in os.environ]
    said = f" ({', '.join(found)})" if found else ""
    return (
        f"Slurm shows each task only GPUs of its own{said}; remove gpu-bind, gpus-per-task and the "
        "like from the profile and the shell, since every task must see all GPUs of its node"
    )


def _of_too_few(visible: int) -> str | None:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return f"CUDA_VISIBLE_DEVICES={chosen} hides the others"
    if nvml.gpu_count() == visible:
        return "this machine has no more; device auto emulates the missing ones"
    return None
