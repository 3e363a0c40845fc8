"""One GPU's share of a linear layer, as tensor parallelism splits it."""

import torch
from torch import nn

from mp.families.linear import LinearLayer


def keep_share(layer: nn.Module, place: int, shares: int) -> nn.Module:
    """Keep the first share of a layer, in place, and return it.

    Args:
        layer: nn.Linear of (dim, dim).
        place: its place in a row of layers: those of even places keep some of their outputs, those
            behind them as many of their inputs.
        shares: how many GPUs share the layer.
    """
    assert isinstance(layer, LinearLayer), "tensor parallelism is for the linear stack alone"
    size = layer.in_features // shares
    with torch.no_grad():
        if place % 2 == 0:
            weight, bias = layer.weight[:size].clone(), layer.bias[:size].clone()
            layer.out_features, layer.bias = size, nn.Parameter(bias)
        else:
            weight, layer.in_features = layer.weight[:, :size].clone(), size
    layer.weight = nn.Parameter(weight)
    return layer
