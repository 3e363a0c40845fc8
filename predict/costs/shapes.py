"""Bytes of what layers hand to one another, and of their parameters."""

from collections.abc import Iterable

from predict.costs.layers import LOSS, LayerTimes
from predict.costs.refusal import Unpredictable
from predict.costs.shared import counted_twice, shared_weights
from predict.memory.parts import ELEMENT_BYTES
from study.case import Case
from study.results.layers import ModelProfile


def output_bytes(case: Case, model: ModelProfile | None, layer: int) -> float:
    """Return the bytes that a layer hands to the next, with a part of the batch.

    Args:
        case: the configuration.
        model: the sizes of its layers; None where they follow from the case, or are unknown.
        layer: its number.

    Raises:
        Unpredictable: the sizes are unknown.
    """
    rows = case.batch_size // case.parts
    if case.kind == "linear":
        return float(rows * case.dim * ELEMENT_BYTES[case.dtype])
    if case.kind == "gpt":
        return float(rows * int(case.value("seq_len")) * case.dim * ELEMENT_BYTES[case.dtype])
    if model is None or len(model.layers) != case.layers:
        why = "the sizes of what its layers send to one another were not calibrated"
        raise Unpredictable(why, "calibrate again")
    return model.layers[layer].output_bytes * rows / model.rows


def parameter_bytes(
    times: LayerTimes,
    layers: Iterable[int],
    model: ModelProfile | None = None,
    held: Iterable[int] | None = None,
) -> int:
    """Return the bytes of the parameters of some layers; what they share counts once.

    Args:
        times: of the layers.
        layers: by number.
        model: their sizes; None where they follow from the case, or are unknown.
        held: all layers of the GPU; these if None.
    """
    counted = [layer for layer in layers if layer != LOSS]
    total = sum(times.kind(layer).parameter_bytes for layer in counted)
    shared = shared_weights(times.case, model)
    return total - counted_twice(shared, counted, counted if held is None else held)
