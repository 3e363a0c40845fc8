"""Weights that several layers share: on which layers, and how many bytes count twice."""

from collections.abc import Iterable
from dataclasses import dataclass

from predict.memory.parts import ELEMENT_BYTES
from study.case import Case
from study.results.layers import ModelProfile


@dataclass(frozen=True)
class Shared:
    """Parameters of several layers. Each GPU with one of these has a copy, and a gradient of it.

    Attributes:
        layers: by number, sorted.
        bytes: of the parameters.
    """

    layers: tuple[int, ...]
    bytes: int


def shared_weights(case: Case, model: ModelProfile | None) -> tuple[Shared, ...]:
    """Return what the layers of a case share.

    Args:
        case: the configuration.
        model: the sizes of its layers; None where they follow from the case, or are unknown.
    """
    if model is None:
        table = int(case.value("vocab")) * case.dim if case.value("tied") is True else 0
        size = table * ELEMENT_BYTES[case.dtype]
        return (Shared((0, case.layers - 1), size),) if size else ()
    found: dict[int, Shared] = {}
    for number, layer in enumerate(model.layers):
        if (owner := layer.shares_with) is None or not layer.shared_bytes:
            continue
        known = found.get(owner, Shared((owner,), 0))
        layers = tuple(sorted({*known.layers, number}))
        found[owner] = Shared(layers, max(known.bytes, layer.shared_bytes))
    return tuple(found.values())


def counted_twice(shared: Iterable[Shared], layers: Iterable[int], held: Iterable[int]) -> int:
    """Return the bytes of some layers that count with another layer of the same GPU.

    Args:
        shared: of all layers.
        layers: whose parameters are counted.
        held: all layers of the GPU, the first of which counts what it shares.
    """
    here, counted = {*held}, {*layers}
    return sum(
        each.bytes
        for each in shared
        for number in [its for its in each.layers if its in here][1:]
        if number in counted
    )
