"""Parameters and buffers of layers, each counted in the first layer that has it."""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Parameters:
    """Parameters of a layer: those that count in it, and those that count in an earlier one."""

    parameters: int = 0
    parameter_bytes: int = 0
    shared_bytes: int = 0
    shares_with: int | None = None
    buffer_bytes: int = 0
    frozen_bytes: int = 0


def own_parameters(layers: list[nn.Module], dtype: torch.dtype) -> list[Parameters]:
    """Return the parameters of each layer; those that are floating-point are of this dtype."""
    owner: dict[nn.Parameter, int] = {}
    found = []
    for number, layer in enumerate(layers):
        own = [p for p in layer.parameters() if owner.setdefault(p, number) == number]
        shared = [p for p in layer.parameters() if owner[p] != number]
        size, shared_size = (
            sum(p.numel() * _itemsize(p, dtype) for p in some) for some in (own, shared)
        )
        source = min((owner[p] for p in shared), default=None)
        frozen = sum(p.numel() * _itemsize(p, dtype) for p in own if not p.requires_grad)
        buffers = sum(b.numel() * _itemsize(b, dtype) for b in layer.buffers())
        count = sum(p.numel() for p in own)
        found.append(Parameters(count, size, shared_size, source, buffers, frozen))
    return found


def _itemsize(parameter: torch.Tensor, dtype: torch.dtype) -> int:
    return dtype.itemsize if parameter.is_floating_point() else parameter.dtype.itemsize
