"""The memory of a GPU, what says so, and of which type the GPU is."""

import re
from dataclasses import dataclass

GIB = 2**30
MEASURED_ON = {"h100", "h200"}  # where the figures of predict/memory/kernels.py come from
# GiB of the memory of a card, by its model, which error correction may make a little smaller; None
# where a model has several sizes.
GIB_OF_MODEL = {
    "h100": 80,
    "h200": 141,
    "b200": 180,
    "gh200": None,
    "a100": None,
    "v100": None,
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
_SLICE = re.compile(r"\d+g|mig|[1-7]\d")  # 3g of 3g.20gb; 47 of h100-47


def model_of(name: str) -> str | None:
    """Return the model in the name of a type, e.g. `h100` of `nvidia_h100_80gb_hbm3`.

    None where there is none of `GIB_OF_MODEL`, or more than one.
    """
    found = {*re.split(r"[^a-z0-9]+", name.lower())} & {*GIB_OF_MODEL}
    return next(iter(found)) if len(found) == 1 else None


@dataclass(frozen=True)
class GpuSize:
    """Memory of a GPU.

    Attributes:
        size: bytes.
        source: what says so, for people.
        kind: the name of its type, as Slurm or a driver has it; empty where unknown.
    """

    size: int
    source: str
    kind: str = ""

    @property
    def is_measured(self) -> bool:
        """True if what CUDA and NCCL take was measured on whole GPUs of this type."""
        words = {*re.split(r"[^a-z0-9]+", self.kind.lower())}
        return bool(words & MEASURED_ON) and not any(map(_SLICE.fullmatch, words))

    def __str__(self) -> str:
        return f"{self.size / GIB:.3g} GiB ({self.source})"
