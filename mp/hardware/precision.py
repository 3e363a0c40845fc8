"""Precision of a case: the type of its numbers, and whether float32 products run as TF32."""

import torch

from study.case import Case


def element_type(case: Case) -> torch.dtype:
    """Return the type in which weights and data are kept."""
    return torch.bfloat16 if case.dtype == "bfloat16" else torch.float32


def set_precision(case: Case) -> None:
    """Turn TF32 on for dtype tf32, and off for every other."""
    torch.set_float32_matmul_precision("high" if case.dtype == "tf32" else "highest")


def tf32_enabled() -> bool:
    """Return whether float32 matrix products on CUDA run as TF32."""
    return str(torch.get_float32_matmul_precision()) != "highest"
