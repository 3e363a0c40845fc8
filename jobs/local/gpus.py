"""The GPUs of this machine, as far as they are known without torch: why there are none, their size.

A GPU that is only maybe there counts as one: then the job finds out.
"""

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from predict.memory.gpu_size import GpuSize

# By these files a driver shows GPUs: NVIDIA's, on Windows' Linux, on Tegra, and AMD's.
DEVICES = ("nvidia[0-9]*", "dxg", "nvhost-gpu", "nvgpu", "kfd")


def why_no_gpu(devices: Path = Path("/dev")) -> str | None:
    """Return why no job on this machine can have a real GPU; None if one may."""
    if not any(found for pattern in DEVICES for found in devices.glob(pattern)):
        return "this machine has none"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides all of this machine's"
    if _torch_version().endswith("+cpu"):
        return f"this torch ({_torch_version()}) is built without CUDA"
    return None


def _torch_version() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def largest_gpu() -> GpuSize | None:
    """Return the memory of this machine's largest GPU, by NVIDIA's driver; None if unknown."""
    import pynvml

    found = list[tuple[int, str]]()
    try:
        pynvml.nvmlInit()
        try:
            for number in range(pynvml.nvmlDeviceGetCount()):
                handle = pynvml.nvmlDeviceGetHandleByIndex(number)
                size = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
                found.append((size, str(pynvml.nvmlDeviceGetName(handle))))
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return None
    if not found:
        return None
    size, kind = max(found)
    return GpuSize(size, "by this machine's driver", kind)
