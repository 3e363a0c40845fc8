"""Peak memory of every GPU, not only of the current one."""

import torch

from mp.devices import Devices


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
