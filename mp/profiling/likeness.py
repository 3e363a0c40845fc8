"""Layers that are alike, of which one is measured for all."""

import torch
from torch import nn

OF_EVERY_MODULE = {*vars(nn.Module())} - {"training"}


def looks_like(layer: nn.Module) -> tuple[object, ...]:
    """Return what two layers have in common that do the same on inputs of one shape."""
    settings = tuple(
        (name, type(module).__qualname__, key, _setting(value))
        for name, module in layer.named_modules()
        for key, value in sorted(vars(module).items())
        if key not in OF_EVERY_MODULE
    )
    parameters = tuple((n, p.shape, p.requires_grad) for n, p in layer.named_parameters())
    buffers = tuple((name, buffer.shape, buffer.dtype) for name, buffer in layer.named_buffers())
    return type(layer), repr(layer), settings, parameters, buffers


def _setting(value: object) -> object:
    """Return what is equal for settings that do the same; of what nobody can tell, its identity."""
    if isinstance(value, int | float | bool | str | torch.dtype | torch.Size | type(None)):
        return type(value).__name__, value
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(map(_setting, value))
    if isinstance(value, torch.Tensor):
        return value.shape, value.dtype
    return id(value)
