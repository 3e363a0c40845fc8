"""The memory of a GPU, what says so, and of which type the GPU is."""

import re
from dataclasses import dataclass

GIB = 2**30
MEASURED_ON = {"h100", "h200"}  # where the figures of predict/memory/kernels.py come from
_SLICE = re.compile(r"\d+g|mig|[1-7]\d")  # 3g of 3g.20gb; 47 of h100-47


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
