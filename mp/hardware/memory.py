"""Memory of every GPU, not only of the current one."""

from dataclasses import dataclass

import torch

from mp.hardware.devices import Devices
from mp.hardware.precision import element_type
from study.case import Case
from study.results.measurement import GpuMemory


def release_cache() -> None:
    """Give back what torch keeps for later, so that peaks do not hold what came before."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@dataclass(frozen=True)
class Scratch:
    """Bytes of a GPU that are no tensors of the step; None on a CPU.

    `workspace` stays; `reduction` comes and goes with every sum over a micro-batch's `rows`.
    """

    workspace: int | None = None
    reduction: int | None = None
    rows: int | None = None


def measure_scratch(case: Case, devices: Devices) -> dict[torch.device, Scratch]:
    """What torch and cuBLAS hold for themselves on each real device, while nothing else is left."""
    return {d: _scratch(case, d) if d.type == "cuda" else Scratch() for d in devices.real}


def _scratch(case: Case, device: torch.device) -> Scratch:
    workspace = torch.cuda.memory_allocated(device)
    dtype = element_type(case)
    count = case.batch_size // case.micro_batches
    rows = torch.zeros(count, case.dim, dtype=dtype, device=device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    total = rows.sum(0)  # as backward does for a bias's gradient
    peak = torch.cuda.max_memory_allocated(device)
    return Scratch(workspace, peak - before - total.numel() * total.element_size(), count)


def reset_peaks(devices: Devices) -> None:
    """Start the peaks anew on every real GPU."""
    for device in devices.real:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)


def peaks(device: torch.device) -> tuple[int | None, int | None]:
    """Peak bytes allocated to tensors, and reserved by torch; (None, None) on a CPU."""
    if device.type != "cuda":
        return None, None
    return torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)


def driver_used(device: torch.device) -> int | None:
    """Bytes in use on the GPU as its driver sees it; None on a CPU."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    return int(total - free)


def describe_memory(
    layers: list[int], devices: Devices, scratch: dict[torch.device, Scratch], first: int = 0
) -> list[GpuMemory]:
    """Memory of every GPU; null for logical ones, whose device is not theirs alone.

    The first of the devices is the case's GPU `first`.
    """
    entries = []
    for gpu, count in enumerate(layers):
        device = devices.real_device(gpu)
        peak_allocated, peak_reserved = (None, None) if devices.emulated else peaks(device)
        entries.append(
            GpuMemory(
                index=first + gpu,
                device=str(device),
                layers=count,
                peak_allocated_bytes=peak_allocated,
                peak_reserved_bytes=peak_reserved,
                workspace_bytes=scratch[device].workspace,
                reduction_bytes=scratch[device].reduction,
                reduction_rows=scratch[device].rows,
                driver_used_bytes=driver_used(device),
            )
        )
    return entries
