"""The largest rate of matrix products that a device reaches, as a ceiling for the step."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import torch

from mp.hardware.devices import Devices
from mp.hardware.memory import release_cache
from mp.hardware.precision import element_type
from study.case import Case
from study.results.ceilings import GemmRate

CUBE = {"cuda": 8192, "cpu": 1024}
BURST_S = 0.02  # products in a row, so that neither launch nor clock counts
BURSTS = 5
SUSTAINED_S = {"cuda": 0.5, "cpu": 0.1}


@dataclass(frozen=True)
class Product:
    """A matrix product (m, k) @ (k, n), and which operand is stored transposed."""

    m: int
    n: int
    k: int
    transposed: Literal["left", "right", "neither"]

    @property
    def flops(self) -> int:
        """Floating-point operations."""
        return 2 * self.m * self.n * self.k


def measure_gemm(case: Case, devices: Devices, products: list[Product]) -> list[GemmRate]:
    """Measure, on each real device, the case's own products and a large cube; return the fastest.

    In the case's dtype, on normally distributed numbers: the power that a product draws, and so
    the GPU's clock, depends on them.

    Args:
        case: gives the dtype.
        devices: those of this process.
        products: those of a layer's forward and backward.

    Raises:
        torch.OutOfMemoryError: none of the products fits on a device.
    """
    return [_fastest(case, device, products) for device in devices.real]


def _fastest(case: Case, device: torch.device, products: list[Product]) -> GemmRate:
    cube = CUBE[device.type]
    rates: dict[Product, float] = {}
    for product in (*products, Product(cube, cube, cube, "right")):
        # The cube need not fit; the case's own products must, or their step will not.
        with suppress(torch.OutOfMemoryError):
            rates[product] = _largest_rate(case, device, product)
    release_cache()
    if not rates:
        raise torch.OutOfMemoryError(f"no matrix product of the case fits on {device}")
    best = max(rates, key=lambda product: rates[product])
    seconds, rate = _sustained_rate(case, device, best, rates[best])
    release_cache()
    return GemmRate(
        device=str(device),
        dtype=case.dtype,
        m=best.m,
        n=best.n,
        k=best.k,
        flop_per_s=max(rates[best], rate),
        sustained_s=seconds,
        sustained_flop_per_s=rate,
    )


def _largest_rate(case: Case, device: torch.device, product: Product) -> float:
    run = _runner(case, device, product)
    run(1)  # the first call chooses a kernel
    count = max(1, round(BURST_S / run(1)))
    return product.flops * count / min(run(count) for _ in range(BURSTS))


def _sustained_rate(
    case: Case, device: torch.device, product: Product, rate: float
) -> tuple[float, float]:
    """Return (seconds, operations per second) of a long row of products."""
    run = _runner(case, device, product)
    run(1)
    count = max(1, round(SUSTAINED_S[device.type] * rate / product.flops))
    seconds = run(count)
    return seconds, product.flops * count / seconds


def _runner(case: Case, device: torch.device, product: Product) -> Callable[[int], float]:
    """Return a function that times `count` products in a row, in seconds."""
    dtype = element_type(case)

    def operand(rows: int, columns: int, transposed: bool) -> torch.Tensor:
        shape = (columns, rows) if transposed else (rows, columns)
        made = torch.randn(shape, device=device, dtype=dtype)
        return made.T if transposed else made

    left = operand(product.m, product.k, product.transposed == "left")
    right = operand(product.k, product.n, product.transposed == "right")
    out = torch.empty((product.m, product.n), device=device, dtype=dtype)
    on_gpu = device.type == "cuda"

    def wait() -> None:
        if on_gpu:
            torch.cuda.synchronize(device)

    def run(count: int) -> float:
        wait()
        start = perf_counter()
        for _ in range(count):
            torch.mm(left, right, out=out)
        wait()
        return perf_counter() - start

    return run
