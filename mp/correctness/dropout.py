"""Dropout, switched off while a split is compared with the unsplit model."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

# Modules that drop values at random, and the attribute that says how many.
PROBABILITIES: list[tuple[type[nn.Module], str]] = [
    (_DropoutNd, "p"),
    (nn.MultiheadAttention, "dropout"),
    (nn.RNNBase, "dropout"),
]


def has_dropout(layers: Iterable[nn.Module]) -> bool:
    """Return whether a layer drops values at random, by one of torch's modules."""
    return any(True for _ in _dropping(layers))


@contextmanager
def without_dropout(layers: Iterable[nn.Module]) -> Iterator[None]:
    """Set the probability of every dropout of the layers to 0, and back at the end."""
    before = [(module, name, getattr(module, name)) for module, name in _dropping(layers)]
    for module, name, _ in before:
        setattr(module, name, 0.0)
    try:
        yield
    finally:
        for module, name, probability in before:
            setattr(module, name, probability)


def _dropping(layers: Iterable[nn.Module]) -> Iterator[tuple[nn.Module, str]]:
    """Yield each module that drops values, with the name of its probability."""
    for module in dict.fromkeys(module for layer in layers for module in layer.modules()):
        for kind, name in PROBABILITIES:
            if isinstance(module, kind) and getattr(module, name) > 0:
                yield module, name
