"""The GPUs of a program: those that it may see, proven by NVML, and how they are described."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from mp.hardware import nvml
from mp.hardware.mismatch import gpu_mismatch
from study.results.environment import Gpu, GpuLink, GpuState
from study.results.result import Job

VISIBLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
Seen = tuple[GpuState | None, GpuState | None]


@dataclass(frozen=True)
class VisibleGpu:
    """A GPU that a program may see: its word in CUDA_VISIBLE_DEVICES, and NVML's UUID."""

    word: str
    uuid: str


def visible_gpus() -> list[VisibleGpu]:
    """Return the GPUs that a program would see here, in its order.

    CUDA_VISIBLE_DEVICES is read as CUDA reads it: numbers or beginnings of UUIDs, up to the first
    that names no GPU.
    """
    found, chosen = nvml.all_uuids(), os.environ.get(VISIBLE)
    if chosen is None:
        return [VisibleGpu(str(index), uuid) for index, uuid in enumerate(found)]
    visible: dict[str, VisibleGpu] = {}
    for word in map(str.strip, chosen.split(",")):
        uuid = _named(word, found)
        if uuid is None or uuid in visible:
            break
        visible[uuid] = VisibleGpu(word, uuid)
    return list(visible.values())


def _named(word: str, found: list[str]) -> str | None:
    if word.startswith("MIG-"):
        return word
    if word.isdecimal() and word.isascii():
        return found[int(word)] if len(word) < 6 and int(word) < len(found) else None
    named = [uuid for uuid in found if word.startswith("GPU-") and uuid.startswith(word)]
    return named[0] if len(named) == 1 else None


def choose_gpus(job: Job, policy: str) -> list[VisibleGpu]:
    """Return the GPUs that the program gets: exactly as many as requested, or none.

    Args:
        job: its numbers of GPUs that were requested, allocated and are visible.
        policy: `cuda` takes real GPUs or fails; `auto` takes none where there are too few; `cpu`
            takes none.

    Raises:
        GpuMismatch: the numbers do not agree.
    """
    requested, allocated = job.requested_gpus, job.allocated_gpus
    visible = [] if policy == "cpu" else visible_gpus()
    on_slurm = job.slurm_job_id is not None
    agree = not on_slurm or allocated == requested
    if policy == "cuda":
        agree &= len(visible) == requested if on_slurm else len(visible) >= requested
    if not agree:
        seen = None if policy == "cpu" else len(visible)
        raise gpu_mismatch(requested, seen, allocated, on_slurm, seen_by="NVML")
    return visible[:requested] if len(visible) >= requested else []


def variables_for(gpus: Sequence[VisibleGpu]) -> dict[str, str]:
    """Return the variables by which a program sees these GPUs and no others.

    Numbers are those of Slurm and NVML, in the order of the bus.
    """
    chosen = {VISIBLE: ",".join(gpu.word for gpu in gpus)}
    return chosen | {ORDER: os.environ.get(ORDER, "PCI_BUS_ID")} if gpus else chosen


def describe_gpu(index: int, uuid: str, seen: Seen) -> Gpu:
    """Return what NVML knows of a GPU.

    Args:
        index: the number that the program knows it by.
        uuid: NVML's.
        seen: its state when it was first and last seen at work.
    """
    memory = nvml.memory_of(uuid)
    return Gpu(
        index=index,
        name=nvml.name_of(uuid) or "of unknown name",
        uuid=uuid.removeprefix("GPU-"),
        total_memory_bytes=None if memory is None else memory[1],
        max_sm_clock_hz=nvml.max_sm_clock_hz(uuid),
        power_limit_w=nvml.power_limit_w(uuid),
        before=seen[0],
        after=seen[1],
    )


def describe_links(uuids: Sequence[str]) -> list[GpuLink]:
    """Return how each two of the GPUs are connected."""
    return [nvml.link_between(a, b) for a, b in combinations(enumerate(uuids), 2)]
