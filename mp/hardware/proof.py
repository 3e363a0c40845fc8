"""The proof that a case got the GPUs it asked for, before anything is measured."""

from mp.hardware.mismatch import gpu_mismatch
from study.results.result import Job


def prove_gpus(job: Job, policy: str) -> None:
    """Compare what was requested, what Slurm allocated and what torch sees.

    Under Slurm the allocation must be known and exact. Under policy `cuda` torch must see exactly
    that many GPUs, or, on a machine at hand, at least that many. Policy `cpu` asks torch nothing.

    Raises:
        GpuMismatch: they do not agree; its message holds the three numbers and the likely cause.
    """
    requested, allocated, visible = job.requested_gpus, job.allocated_gpus, job.visible_gpus
    on_slurm = job.executor == "slurm"
    agree = not on_slurm or allocated == requested
    if policy == "cuda":
        agree &= visible == requested if on_slurm else (visible or 0) >= requested
    if not agree:
        raise gpu_mismatch(requested, visible, allocated, on_slurm)
