"""The largest matrix products of a model's layers."""

import torch

from mp.activations import single_tensors
from mp.hardware.gemm import Product
from mp.hardware.precision import converted
from mp.profiling.alone import count_layer
from mp.profiling.likeness import looks_like
from mp.workload import Workload

MOST_PRODUCTS = 3


def largest_products(workload: Workload, rows: int, device: torch.device) -> list[Product]:
    """Return the largest matrix products of the layers, for a micro-batch of this many rows.

    Args:
        workload: what the case trains.
        rows: of the micro-batch.
        device: where layers run that need data, one at a time.
    """
    if own := workload.products():
        return own
    products: set[Product] = set()
    seen = set()
    activations = single_tensors(workload.activations(rows), workload.names())
    for number, like in enumerate(activations[:-1]):
        with torch.device("meta"):
            layer = converted(workload.layer(number), workload.dtype)
        key = looks_like(layer), like.shape, number == 0
        if key not in seen:
            seen.add(key)
            products |= count_layer(workload, number, like, device, number > 0).products
    return sorted(products, key=lambda p: (-p.flops, p.m, p.n, p.k, p.transposed))[:MOST_PRODUCTS]
