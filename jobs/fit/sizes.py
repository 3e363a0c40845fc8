"""The memory of a GPU: as the profile has it, or by the name of its type."""

import re

from jobs.profile import Profile
from predict.memory.gpu_size import GIB, GpuSize

# GiB of types that exist with one size, or almost: the memory of the card, which error correction
# may make a little smaller. Others, as a100 and v100, are known only with a size in their name.
_OF_TYPE = {
    "h100nvl": 94,
    "h100": 80,
    "h200": 141,
    "b200": 180,
    "l40s": 48,
    "l40": 48,
    "a40": 48,
    "a30": 24,
    "a10g": 24,
    "a10": 24,
    "l4": 24,
    "t4": 16,
    "p100": 16,
    "mi300x": 192,
    "mi300a": 128,
    "mi250x": 64,
}
_OF_GH200 = (96, 144)  # its names tell the CPU's memory, too
_SIZE = re.compile(r"(?<![0-9a-z])(\d{1,3})gb?(?![a-z0-9])")
_BARE_SIZE = re.compile(r"(?<=[a-z]\d{2}[-_]|\d{3}[-_])(\d{2,3})$")  # h100-96, a100-40


def size_by_profile(profile: Profile) -> GpuSize | None:
    """Return the size that the profile gives, or its typed `gpu_request`; None if neither does."""
    kind = profile.gpu_request.partition(":")[2].replace("{n}", "")
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
    if "h100" in parts and "nvl" in parts:
        parts = ["h100nvl"]
    for part in parts:
        if part in _OF_TYPE:
            return GpuSize(_OF_TYPE[part] * GIB, source, name)
    return None


def largest(sizes: list[GpuSize | None]) -> GpuSize | None:
    """Return the largest of the sizes of GPUs that a job may get; None if one is unknown."""
    known = [size for size in sizes if size is not None]
    if not known or len(known) < len(sizes):
        return None
    return max(known, key=lambda size: size.size)
