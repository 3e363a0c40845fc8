"""Bytes of parameters and of their gradients on a GPU with some of a model's layers."""

from collections.abc import Sequence

from study.results.layers import ModelProfile


def parameter_bytes(model: ModelProfile, layers: Sequence[int]) -> int:
    """Return the bytes of the parameters of a GPU with these layers.

    One that several layers share lies on every GPU that has one of them, once on each.

    Args:
        model: the layers as measured.
        layers: numbers of those on the GPU.
    """
    total, borrowed = 0, dict[int, int]()
    for number in layers:
        layer = model.layers[number]
        total += layer.parameter_bytes
        if layer.shares_with is not None and layer.shares_with not in layers:
            most = max(borrowed.get(layer.shares_with, 0), layer.shared_bytes)
            borrowed[layer.shares_with] = most
    return total + sum(borrowed.values())


def trained_bytes(model: ModelProfile, layers: Sequence[int]) -> int:
    """Return the same without parameters that are frozen: as much as their gradients take."""
    frozen = sum(model.layers[number].frozen_bytes for number in layers)
    return parameter_bytes(model, layers) - frozen


class Gradients:
    """Bytes of the gradients on one GPU, which exist from the first backward that has them.

    Args:
        model: the layers as measured.
    """

    def __init__(self, model: ModelProfile) -> None:
        self.model = model
        self._there: dict[int, int] = {}  # by the layer in which the parameters count

    def add(self, number: int, but: int = 0) -> int:
        """Add those of a layer and of what it shares; return the bytes that were not there.

        Args:
            number: of the layer.
            but: bytes of those that come later; first of what it shares.
        """
        layer = self.model.layers[number]
        shared = max(0, layer.shared_bytes - but)
        own = layer.parameter_bytes - layer.frozen_bytes - max(0, but - layer.shared_bytes)
        new = self._grow(number, own)
        if layer.shares_with is not None:
            new += self._grow(layer.shares_with, shared)
        return new

    def _grow(self, owner: int, size: int) -> int:
        before = self._there.get(owner, 0)
        self._there[owner] = max(before, size)
        return self._there[owner] - before
