"""Peak rates of GPUs by their datasheets: dense matrix products, in FLOP/s.

Datasheets give tensor rates with sparsity, which is twice the dense rate; here they are halved.
"""

import re
from dataclasses import dataclass

TERA = 1e12


@dataclass(frozen=True)
class Peak:
    """The dense peaks of one GPU in TFLOP/s; None for a type of number that it does not have.

    `float32` is that of its CUDA cores, as TF32 is a type of its own here.
    """

    float32: float
    tf32: float | None
    bfloat16: float | None

    def rate(self, dtype: str) -> float | None:
        """Return the peak for a case's dtype, in FLOP/s."""
        of_dtype = {"float32": self.float32, "tf32": self.tf32, "bfloat16": self.bfloat16}[dtype]
        return None if of_dtype is None else of_dtype * TERA


# By all of a GPU's name as torch has it: a part of a GPU (MIG), a variant with other clocks or a
# GPU of another vendor matches none. The documents are NVIDIA's; their figures were compared with
# copies of their tables (2026-11), not with the documents themselves.
PEAKS = {
    # "NVIDIA V100 Tensor Core GPU", datasheet of January 2020; SXM2, then PCIe. No bfloat16.
    r"Tesla V100-SXM2-(16|32)GB": Peak(15.7, None, None),
    r"Tesla V100-PCIE-(16|32)GB": Peak(14.0, None, None),
    # "NVIDIA A100 Tensor Core GPU", datasheet of June 2021: SXM and PCIe have the same peaks.
    r"(NVIDIA )?A100-(SXM4|PCIE)-(40|80)GB|NVIDIA A100 80GB PCIe": Peak(19.5, 156.0, 312.0),
    # "NVIDIA H100 Tensor Core GPU Architecture", table 2 (SXM5), and datasheets (PCIe, NVL).
    r"NVIDIA H100 80GB HBM3": Peak(66.9, 494.7, 989.4),
    r"NVIDIA H100 PCIe": Peak(51.0, 378.0, 756.0),
    r"NVIDIA H100 NVL": Peak(60.0, 417.5, 835.5),
    # "NVIDIA H200 Tensor Core GPU", datasheet; the chip is that of H100 SXM5.
    r"NVIDIA H200": Peak(66.9, 494.7, 989.4),
    # "NVIDIA L40S", "NVIDIA L4", "NVIDIA A10", datasheets.
    r"NVIDIA L40S": Peak(91.6, 183.0, 362.0),
    r"NVIDIA L4": Peak(30.3, 60.0, 121.0),
    r"NVIDIA A10": Peak(31.2, 62.5, 125.0),
    # "NVIDIA Ada GPU Architecture", appendix A; bfloat16 with sums in float32.
    r"NVIDIA GeForce RTX 4090": Peak(82.6, 82.6, 165.2),
}


def peak_flop_per_s(gpu: str, dtype: str) -> float | None:
    """Return the dense peak of a GPU by its name, in FLOP/s; None where it is not known."""
    found = next((peak for name, peak in PEAKS.items() if re.fullmatch(name, gpu)), None)
    return None if found is None else found.rate(dtype)
