"""The memory of a GPU, what says so, and of which type the GPU is."""

import re
from dataclasses import dataclass

GIB = 2**30
MEASURED_ON = {"h100", "h200"}  # where the figures of predict/memory/kernels.py come from
# Models by which types in Slurm and names of drivers can be told apart.
MODELS = frozenset(
    [
        "a10",
        "a100",
        "a10g",
        "a30",
        "a40",
        "b200",
        "gh200",
        "h100",
        "h200",
        "l4",
        "l40",
        "l40s",
        "mi250x",
        "mi300a",
        "mi300x",
        "p100",
        "t4",
        "v100",
    ]
)
_SLICE = re.compile(r"\d+g|mig|[1-7]\d")  # 3g of 3g.20gb; 47 of h100-47


def model_of(name: str) -> str | None:
    """Return the model in the name of a type, e.g. `h100` of `nvidia_h100_80gb_hbm3`.

    None where there is none of `MODELS`, or more than one.
    """
    found = {*re.split(r"[^a-z0-9]+", name.lower())} & MODELS
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
