"""Devices of a case: real GPUs, or logical ones where there are too few."""

from dataclasses import dataclass
from typing import cast

import torch

from mp.hardware.logical import LogicalGPU, logical_gpus
from mp.hardware.mismatch import gpu_mismatch
from mp.model import all_gpus
from study.results.result import Job


@dataclass(frozen=True)
class Devices:
    """The GPUs of a case, in order, and the real devices (without repeats) that carry them."""

    gpus: list[torch.device] | list[LogicalGPU]
    real: list[torch.device]

    @property
    def emulated(self) -> bool:
        """True where the GPUs are logical ones."""
        return isinstance(self.gpus[0], LogicalGPU)

    def real_device(self, gpu: int) -> torch.device:
        """Return the real device below this GPU."""
        return self.real[0] if self.emulated else self.real[gpu]

    def put(self, x: torch.Tensor, gpu: int) -> torch.Tensor:
        """Return x on this GPU, outside of any baton passing."""
        placed, target = x.to(self.real_device(gpu)), self.gpus[gpu]
        return target.hold(placed) if isinstance(target, LogicalGPU) else placed

    def index_of(self, x: torch.Tensor) -> int:
        """Return the GPU (0 .. gpus-1) on which x lies now."""
        first = self.gpus[0]
        if isinstance(first, LogicalGPU):
            return cast(LogicalGPU, first.home_of(x)).gpu
        return self.real.index(x.device)

    def synchronize(self) -> None:
        """Wait until every real device has done all its work."""
        for device in self.real:
            if device.type == "cuda":
                torch.cuda.synchronize(device)


def usable_gpus() -> list[torch.device]:
    """Return the GPUs that torch sees; none where CUDA does not start, whatever NVML counts."""
    return all_gpus() if torch.cuda.is_available() else []


def visible_gpus() -> int:
    """Count the CUDA GPUs that torch sees."""
    return len(usable_gpus())


def choose_devices(gpus: int, policy: str) -> Devices:
    """Return the devices for a case of `gpus` GPUs.

    Args:
        gpus: how many the case takes.
        policy: `cuda` takes real GPUs only; `cpu` emulates on the CPU; `auto` takes real GPUs
            where there are enough, else emulates on the first GPU, else on the CPU.

    Raises:
        GpuMismatch: policy `cuda`, and torch sees fewer GPUs.
    """
    real = [] if policy == "cpu" else usable_gpus()
    if len(real) >= gpus:
        return Devices(real[:gpus], real[:gpus])
    if policy == "cuda":
        raise gpu_mismatch(gpus, len(real))
    shared = real[0] if real else torch.device("cpu")
    return Devices(logical_gpus(shared, gpus), [shared])


def check_allocation(job: Job, policy: str) -> None:
    """Compare the GPUs requested, those Slurm allocated and those torch sees.

    Under Slurm the allocation must be known and exact. Under policy `cuda` torch must see exactly
    that many GPUs, or, without Slurm, at least that many. Policy `cpu` asks torch nothing.

    Raises:
        GpuMismatch: they do not agree; its message holds the three numbers and the likely cause.
    """
    requested, allocated, visible = job.requested_gpus, job.allocated_gpus, job.visible_gpus
    on_slurm = job.slurm_job_id is not None
    agree = not on_slurm or allocated == requested
    if policy == "cuda":
        agree &= visible == requested if on_slurm else (visible or 0) >= requested
    if not agree:
        raise gpu_mismatch(requested, visible, allocated, on_slurm)
