"""The largest rate of matrix products that a device reaches: what a step can be held against."""

from collections.abc import Callable, Iterator
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
class _Product:
    """An operand is stored transposed where a layer's own product has it so."""

    m: int
    n: int
    k: int
    transposed: Literal["left", "right", "neither"]

    @property
    def flops(self) -> int:
        return 2 * self.m * self.n * self.k


def measure_gemm(case: Case, devices: Devices) -> list[GemmRate]:
    """For each real device the fastest of the case's own products and a large cube.

    In the case's dtype, on normally distributed numbers: the power that a product draws, and so
    the GPU's clock, depends on them.
    """
    return [_fastest(case, device) for device in devices.real]


def _fastest(case: Case, device: torch.device) -> GemmRate:
    rates: dict[_Product, float] = {}
    for product in _products(case, device):
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


def _products(case: Case, device: torch.device) -> Iterator[_Product]:
    """A layer's forward, input gradient and weight gradient, and the cube."""
    yield _Product(case.batch_size, case.dim, case.dim, "right")
    yield _Product(case.batch_size, case.dim, case.dim, "neither")
    yield _Product(case.dim, case.dim, case.batch_size, "left")
    cube = CUBE[device.type]
    yield _Product(cube, cube, cube, "right")


def _largest_rate(case: Case, device: torch.device, product: _Product) -> float:
    run = _runner(case, device, product)
    run(1)  # the first call chooses a kernel
    count = max(1, round(BURST_S / run(1)))
    return product.flops * count / min(run(count) for _ in range(BURSTS))


def _sustained_rate(
    case: Case, device: torch.device, product: _Product, rate: float
) -> tuple[float, float]:
    """(seconds, operations per second)"""
    run = _runner(case, device, product)
    run(1)
    count = max(1, round(SUSTAINED_S[device.type] * rate / product.flops))
    seconds = run(count)
    return seconds, product.flops * count / seconds


def _runner(case: Case, device: torch.device, product: _Product) -> Callable[[int], float]:
    """What computes the product a number of times in a row and tells the seconds that took."""
    dtype = element_type(case)

    def operand(rows: int, columns: int, transposed: bool) -> torch.Tensor:
        shape = (columns, rows) if transposed else (rows, columns)
        made = torch.randn(shape, device=device, dtype=dtype)
        return made.T if transposed else made

    left = operand(product.m, product.k, product.transposed == "left")
    right = operand(product.k, product.n, product.transposed == "right")
    out = torch.empty((product.m, product.n), device=device, dtype=dtype)
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda device: None

    def run(count: int) -> float:
        wait(device)
        start = perf_counter()
        for _ in range(count):
            torch.mm(left, right, out=out)
        wait(device)
        return perf_counter() - start

    return run
