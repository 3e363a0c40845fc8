"""Where a case was measured: host, CPU, GPUs and versions. Null is unknown."""

import os
import platform
import socket
from pathlib import Path

import pynvml
import torch

from mp.devices import Devices
from mp.precision import tf32_enabled
from study.result import Environment, Gpu


def describe_environment(devices: Devices) -> Environment:
    """The environment of the devices that were used."""
    uses_cuda = devices.real[0].type == "cuda"
    return Environment(
        host=socket.gethostname(),
        cpu=_cpu_name(),
        cpu_count=os.cpu_count(),
        cpu_threads=torch.get_num_threads(),
        gpus=[_describe_gpu(device) for device in devices.real] if uses_cuda else [],
        driver=_driver() if uses_cuda else None,
        cuda=torch.version.cuda,
        torch=str(torch.__version__),
        python=platform.python_version(),
        tf32=tf32_enabled() and uses_cuda,
    )


def _cpu_name() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else None


def _describe_gpu(device: torch.device) -> Gpu:
    properties = torch.cuda.get_device_properties(device)
    uuid = getattr(properties, "uuid", None)
    clock, max_clock = _sm_clocks_hz(str(uuid))
    return Gpu(
        index=device.index,
        name=properties.name,
        uuid=None if uuid is None else str(uuid),
        total_memory_bytes=properties.total_memory,
        sm_clock_hz=clock,
        max_sm_clock_hz=max_clock,
    )


def _sm_clocks_hz(uuid: str) -> tuple[int | None, int | None]:
    """The clock now and its maximum. By UUID, since NVML knows no CUDA_VISIBLE_DEVICES."""
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        now = pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)
        top = pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_SM)
    except pynvml.NVMLError:
        return None, None
    return now * 1_000_000, top * 1_000_000


def _driver() -> str | None:
    try:
        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return None
