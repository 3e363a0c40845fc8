"""Environment of a measurement: host, CPU, GPUs and software. Null is unknown."""

import os
import platform
import socket
from itertools import combinations

import torch

from mp.hardware import nvml
from mp.hardware.devices import Devices
from mp.hardware.host import cpu_affinity, cpu_name, package_versions
from mp.hardware.precision import tf32_enabled
from mp.hardware.variables import recorded_variables
from study.results.environment import Environment, Gpu, GpuState

States = dict[int, GpuState]  # by the GPU's index


def describe_environment(devices: Devices, before: States, after: States) -> Environment:
    """Return the environment of the devices that were used.

    Args:
        devices: those of this process.
        before: states of its real GPUs, from `read_states`, before the timed steps.
        after: the same after them.
    """
    gpus = _real_gpus(devices)
    return Environment(
        host=socket.gethostname(),
        kernel=platform.release(),
        cpu=cpu_name(),
        cpu_count=os.cpu_count(),
        cpu_affinity=cpu_affinity(),
        cpu_threads=torch.get_num_threads(),
        gpus=[_describe_gpu(gpu, before.get(gpu.index), after.get(gpu.index)) for gpu in gpus],
        topology=[nvml.gpu_link(a, b) for a, b in combinations(gpus, 2)],
        driver=nvml.driver_version() if gpus else None,
        cuda=torch.version.cuda,
        cudnn=_cudnn_version() if gpus else None,  # asking starts CUDA
        nccl=_nccl_version(),
        torch=str(torch.__version__),
        python=platform.python_version(),
        packages=package_versions(),
        variables=recorded_variables(),
        tf32=tf32_enabled() and bool(gpus),
        float32_matmul_precision=str(torch.get_float32_matmul_precision()),
    )


def read_states(devices: Devices) -> States:
    """Read the state of each real GPU; it says something only while they are busy."""
    states = {gpu.index: nvml.gpu_state(gpu) for gpu in _real_gpus(devices)}
    return {index: state for index, state in states.items() if state is not None}


def _real_gpus(devices: Devices) -> list[torch.device]:
    return [device for device in devices.real if device.type == "cuda"]


def _describe_gpu(gpu: torch.device, before: GpuState | None, after: GpuState | None) -> Gpu:
    properties = torch.cuda.get_device_properties(gpu)
    return Gpu(
        index=gpu.index,
        name=properties.name,
        uuid=str(properties.uuid),
        total_memory_bytes=properties.total_memory,
        max_sm_clock_hz=nvml.max_sm_clock_hz(gpu),
        power_limit_w=nvml.power_limit_w(gpu),
        before=before,
        after=after,
    )


def _cudnn_version() -> str | None:
    try:
        number = torch.backends.cudnn.version()
    except RuntimeError:  # not one that torch was built for, or these GPUs; no case uses it
        return None
    return None if number is None else f"{number // 10_000}.{number // 100 % 100}.{number % 100}"


def _nccl_version() -> str | None:
    there = torch.distributed.is_available() and torch.distributed.is_nccl_available()
    return ".".join(map(str, torch.cuda.nccl.version())) if there else None
