"""How float32 matrix products are computed: exactly, or as TF32."""

import torch

from mp.devices import Devices
from study.case import Case
from study.errors import CaseError


def set_precision(case: Case, devices: Devices) -> None:
    """Turn TF32 on for dtype tf32, and off for every other."""
    if case.dtype == "tf32" and devices.real[0].type != "cuda":
        raise CaseError("dtype: tf32 exists on CUDA GPUs only; use float32 or bfloat16")
    torch.set_float32_matmul_precision("high" if case.dtype == "tf32" else "highest")


def tf32_enabled() -> bool:
    """Whether float32 matrix products on CUDA run as TF32."""
    return str(torch.get_float32_matmul_precision()) != "highest"
