"""Environment of a measurement: host, CPU, GPUs, software and code. Null is unknown."""

import os
import platform
import re
import socket
import subprocess
from fnmatch import fnmatchcase
from importlib.metadata import distributions
from itertools import combinations
from pathlib import Path

import torch

from mp.hardware import nvml
from mp.hardware.devices import Devices
from mp.hardware.precision import tf32_enabled
from mp.hardware.variables import recorded_variables
from study.paths import ROOT
from study.results.environment import Environment, Gpu, GpuState
from study.results.result import Code

States = dict[int, GpuState]  # by the GPU's index

# Of the dependencies in pyproject.toml those that a job may meet, and what computes below torch.
PACKAGES = (
    "torch",
    "submitit",
    "pyyaml",
    "pandas",
    "rich",
    "msgspec",
    "nvidia-ml-py",
    "numpy",
    "scipy",
    "triton",
    "nvidia-cublas*",
    "nvidia-cudnn-*",
    "nvidia-nccl-*",
)
# What a job runs. Grids, profiles and what makes the report change no measurement.
MEASURING = ("jobs", "mp", "study", "submit.py")


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
        cpu=_cpu_name(),
        cpu_count=os.cpu_count(),
        cpu_affinity=_cpu_affinity(),
        cpu_threads=torch.get_num_threads(),
        gpus=[_describe_gpu(gpu, before.get(gpu.index), after.get(gpu.index)) for gpu in gpus],
        topology=[nvml.gpu_link(a, b) for a, b in combinations(gpus, 2)],
        driver=nvml.driver_version() if gpus else None,
        cuda=torch.version.cuda,
        cudnn=_cudnn_version() if gpus else None,  # asking starts CUDA
        nccl=_nccl_version(),
        torch=str(torch.__version__),
        python=platform.python_version(),
        packages=_package_versions(),
        variables=recorded_variables(),
        tf32=tf32_enabled() and bool(gpus),
        float32_matmul_precision=str(torch.get_float32_matmul_precision()),
    )


def read_states(devices: Devices) -> States:
    """Read the state of each real GPU; it says something only while they are busy."""
    states = {gpu.index: nvml.gpu_state(gpu) for gpu in _real_gpus(devices)}
    return {index: state for index, state in states.items() if state is not None}


def describe_code(root: Path = ROOT) -> Code:
    """Return the commit checked out, and the files that differ from it."""
    commit = _git(root, "rev-parse", "HEAD")
    names = ("--name-only", "--no-renames", "--relative", "-z")
    changes = _git(root, "diff", *names, "HEAD", "--", *MEASURING)
    if commit is None or changes is None:
        return Code(commit=None, dirty=None)
    changed = tuple(sorted(set(changes.split("\0")) - {""}))
    return Code(commit=commit.strip(), dirty=bool(changed), changed=changed)


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


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


def _cpu_name() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else None


def _cpu_affinity() -> int | None:
    """Count the CPUs that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _cudnn_version() -> str | None:
    try:
        number = torch.backends.cudnn.version()
    except RuntimeError:  # not one that torch was built for, or these GPUs; no case uses it
        return None
    return None if number is None else f"{number // 10_000}.{number // 100 % 100}.{number % 100}"


def _nccl_version() -> str | None:
    there = torch.distributed.is_available() and torch.distributed.is_nccl_available()
    return ".".join(map(str, torch.cuda.nccl.version())) if there else None


def _package_versions() -> dict[str, str]:
    """Return installed versions by normalised name; as in an import, the first one counts."""
    versions: dict[str, str] = {}
    for package in distributions():
        name = re.sub(r"[-_.]+", "-", package.name or "").lower()
        if any(fnmatchcase(name, pattern) for pattern in PACKAGES):
            versions.setdefault(name, package.version)
    return dict(sorted(versions.items()))
