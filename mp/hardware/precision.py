"""Precision of a case: the type of its numbers, and whether float32 runs as TF32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from study.case import Case


def element_type(case: Case) -> torch.dtype:
    """Return the type in which weights and data are kept."""
    return torch.bfloat16 if case.dtype == "bfloat16" else torch.float32


def set_precision(case: Case) -> None:
    """Turn TF32 on for dtype tf32, and off for every other."""
    _set_tf32(case.dtype == "tf32")


@contextmanager
def comparable_kernels() -> Iterator[None]:
    """Compute in float32 and, where cuDNN has the choice, the same numbers in every run.

    Afterwards TF32 is off; set_precision says what a case has.
    """
    _set_tf32(False)
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


def _set_tf32(is_on: bool) -> None:
    """Choose for matrix products and for cuDNN's convolutions, which torch has as TF32."""
    torch.set_float32_matmul_precision("high" if is_on else "highest")
    torch.backends.cudnn.allow_tf32 = is_on


def tf32_enabled() -> bool:
    """Return whether float32 matrix products on CUDA run as TF32."""
    return str(torch.get_float32_matmul_precision()) != "highest"


def converted(
    layer: nn.Module, dtype: torch.dtype, device: torch.device | None = None
) -> nn.Module:
    """Convert a layer's floating-point numbers in place, and return it.

    Integers and complex numbers keep their type: nn.Module.to would drop the imaginary parts, e.g.
    of rotary positions.

    Args:
        layer: whose parameters and buffers are converted.
        dtype: of its floating-point numbers.
        device: where all of them go; None leaves them where they are.
    """
    layer._apply(lambda t: t.to(device, dtype if t.is_floating_point() else t.dtype))
    return layer
