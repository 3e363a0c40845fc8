"""Which devices a case runs on: real GPUs, or logical ones where there are too few."""

from dataclasses import dataclass

import torch

from mp.hardware.logical import LogicalGPU, logical_gpus
from mp.hardware.mismatch import gpu_mismatch
from mp.model import all_gpus

POLICIES = ("auto", "cpu", "cuda")


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
        """The real device below this GPU."""
        return self.real[0] if self.emulated else self.real[gpu]

    def put(self, x: torch.Tensor, gpu: int) -> torch.Tensor:
        """x on this GPU, outside of any baton passing."""
        placed = x.to(self.real_device(gpu))
        return self.gpus[gpu].hold(placed) if self.emulated else placed

    def index_of(self, x: torch.Tensor) -> int:
        """The GPU (0 .. gpus-1) on which x lies now."""
        return self.gpus[0].home_of(x).index if self.emulated else self.gpus.index(x.device)

    def synchronize(self) -> None:
        """Wait until every real device has done all its work."""
        for device in self.real:
            if device.type == "cuda":
                torch.cuda.synchronize(device)


def usable_gpus() -> list[torch.device]:
    """Return the GPUs that torch sees; none where CUDA does not start, whatever NVML counts."""
    return all_gpus() if torch.cuda.is_available() else []


def visible_gpus() -> int:
    """How many CUDA GPUs torch sees."""
    return len(usable_gpus())


def choose_devices(gpus: int, policy: str) -> Devices:
    """The devices for a case of `gpus` GPUs.

    Args:
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
