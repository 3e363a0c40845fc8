"""A small perceptron, as short as a model can be: three functions and a list of layers."""

from types import SimpleNamespace

import torch
from torch import nn


def build(width=64, depth=6, classes=10):
    """Return `depth` layers: linear with GELU, and a linear one to the classes."""
    hidden = [nn.Sequential(nn.Linear(width, width), nn.GELU()) for _ in range(depth - 1)]
    layers = [*hidden, nn.Linear(width, classes)]

    def batch(rows):
        return torch.randn(rows, width), torch.randint(classes, (rows,))

    return SimpleNamespace(layers=layers, batch=batch, loss=nn.functional.cross_entropy)
