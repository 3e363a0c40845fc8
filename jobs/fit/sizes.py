"""The memory of a GPU: as the profile has it, or by the name of its type."""

import re

from jobs.profile import Profile
from predict.memory.gpu_size import GIB, GIB_OF_MODEL, GpuSize, model_of

_OF_H100_NVL = 94
_OF_GH200 = (96, 144)  # its names tell the CPU's memory, too
_SIZE = re.compile(r"(?<![0-9a-z])(\d{1,3})gb?(?![a-z0-9])")
_BARE_SIZE = re.compile(r"(?<=[a-z]\d{2}[-_]|\d{3}[-_])(\d{2,3})$")  # h100-96, a100-40


def size_by_profile(profile: Profile) -> GpuSize | None:
    """Return the size that the profile gives, or its typed `gpu_request`; None if neither does."""
    kind = profile.gpu_type
    if profile.gpu_memory_gb is not None:
        return GpuSize(int(profile.gpu_memory_gb * GIB), "gpu_memory_gb", kind)
    return size_by_type(kind)


def size_by_type(name: str) -> GpuSize | None:
    """Return the memory of a GPU by its type, e.g. `nvidia_h100_80gb_hbm3`; None if unknown.

    Args:
        name: a type as Slurm or a driver has it.
    """
    words, source = name.lower(), f"type {name.strip(':')}"
    if "gh200" in words:
        size = _OF_GH200["144g" in words]
        return GpuSize(size * GIB, source, name)
    if found := _SIZE.findall(words) or _BARE_SIZE.findall(words.strip(":")):
        return GpuSize(int(found[-1]) * GIB, source, name)
    parts = re.split(r"[^a-z0-9]+", words)
    is_nvl = "h100nvl" in parts or {"h100", "nvl"} <= {*parts}
    size_gib = _OF_H100_NVL if is_nvl else GIB_OF_MODEL.get(model_of(name) or "")
    return None if size_gib is None else GpuSize(size_gib * GIB, source, name)


def largest(sizes: list[GpuSize | None]) -> GpuSize | None:
    """Return the largest of the sizes of GPUs that a job may get; None if one is unknown."""
    known = [size for size in sizes if size is not None]
    if not known or len(known) < len(sizes):
        return None
    return max(known, key=lambda size: size.size)
