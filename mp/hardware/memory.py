"""Memory of every GPU, not only of the current one."""

import gc
from dataclasses import dataclass

import torch

from mp.hardware.devices import Devices
from mp.hardware.precision import element_type
from study.case import Case
from study.results.measurement import GpuMemory


def release_cache() -> None:
    """Return torch's cached memory to the GPU, so that peaks do not hold what came before."""
    gc.collect()  # the first optimizer of a process is held by frames of what torch imports for it
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@dataclass(frozen=True)
class Workspace:
    """Memory of a GPU that is no tensor of the step; None on a CPU.

    Attributes:
        workspace: bytes that stay allocated.
        reduction: bytes that come and go with every sum over the rows of a micro-batch; None where
            the peaks of the layers have them.
        rows: how many rows those are.
    """

    workspace: int | None = None
    reduction: int | None = None
    rows: int | None = None


def measure_workspaces(case: Case, devices: Devices) -> dict[torch.device, Workspace]:
    """Measure what torch and cuBLAS hold on each real device, where no tensor may be left."""
    return {d: _workspace(case, d) if d.type == "cuda" else Workspace() for d in devices.real}


def _workspace(case: Case, device: torch.device) -> Workspace:
    workspace = torch.cuda.memory_allocated(device)
    if case.kind != "linear":  # whose layers were measured, with what their kernels take
        return Workspace(workspace)
    dtype = element_type(case)
    count = case.batch_size // case.parts
    rows = torch.zeros(count, case.dim, dtype=dtype, device=device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    total = rows.sum(0)  # as backward does for a bias's gradient
    peak = torch.cuda.max_memory_allocated(device)
    return Workspace(workspace, peak - before - total.numel() * total.element_size(), count)


def reset_peaks(devices: Devices) -> None:
    """Reset the peaks of every real GPU."""
    for device in devices.real:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)


def peaks(device: torch.device) -> tuple[int | None, int | None]:
    """Return peak bytes (allocated to tensors, reserved by torch); (None, None) on a CPU."""
    if device.type != "cuda":
        return None, None
    return torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)


def driver_used(device: torch.device) -> int | None:
    """Return the bytes in use on the GPU as its driver sees it; None on a CPU."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    return int(total - free)


def describe_memory(
    layers: list[int], devices: Devices, workspaces: dict[torch.device, Workspace], first: int = 0
) -> list[GpuMemory]:
    """Return the memory of every GPU; null for logical ones, whose device is not theirs alone.

    Args:
        layers: how many layers each GPU holds.
        devices: the GPUs, all or one of the case's.
        workspaces: from `measure_workspaces`.
        first: the number that the first of the devices has in the case.
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
                workspace_bytes=workspaces[device].workspace,
                reduction_bytes=workspaces[device].reduction,
                reduction_rows=workspaces[device].rows,
                driver_used_bytes=driver_used(device),
            )
        )
    return entries
