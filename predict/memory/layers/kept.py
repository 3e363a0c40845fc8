"""Buffers of layers, and activations that live on from one layer to the next."""

from collections.abc import Sequence

from study.results.layers import ModelProfile


def buffer_bytes(model: ModelProfile, layers: Sequence[int]) -> int:
    """Return the bytes of these layers' tensors that are no parameters."""
    return sum(model.layers[number].buffer_bytes for number in layers)


def keeps_between(model: ModelProfile, number: int) -> bool:
    """Return whether the input of a layer lives from forward to backward, by it or the one before.

    Args:
        model: the layers as measured.
        number: of the layer; as many as there are layers means the loss.
    """
    after = model.loss if number == len(model.layers) else model.layers[number]
    return after.keeps_input or (number > 0 and model.layers[number - 1].keeps_output)
