"""Memory of every GPU, not only of the current one."""

import torch

from mp.devices import Devices
from study.measurement import GpuMemory


def release_cache() -> None:
    """Give back what torch keeps for later, so that peaks do not hold what came before."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def allocated(devices: Devices) -> dict[torch.device, int | None]:
    """Bytes that tensors and workspaces hold now, on each real device; None on a CPU."""
    return {d: torch.cuda.memory_allocated(d) if d.type == "cuda" else None for d in devices.real}


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
    layers: list[int], devices: Devices, workspaces: dict[torch.device, int | None]
) -> list[GpuMemory]:
    """Memory of every GPU; null for logical ones, whose device is not theirs alone."""
    entries = []
    for gpu, count in enumerate(layers):
        device = devices.real_device(gpu)
        peak_allocated, peak_reserved = (None, None) if devices.emulated else peaks(device)
        entries.append(
            GpuMemory(
                index=gpu,
                device=str(device),
                layers=count,
                peak_allocated_bytes=peak_allocated,
                peak_reserved_bytes=peak_reserved,
                workspace_bytes=workspaces[device],
                driver_used_bytes=driver_used(device),
            )
        )
    return entries
