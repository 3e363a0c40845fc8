"""Find what makes the layers of a result impossible, beyond the types of its numbers."""

import msgspec

from study.case import Case
from study.results.layers import LayerProfile, ModelProfile

MOST = 10**18  # of bytes, operations or parameters: no layer of one GPU comes near, and sums fit
LONGEST_S = 1e6


def find_model_problem(case: Case, model: ModelProfile | None) -> str | None:
    """Return what is impossible about a model's layers, as the end of a sentence; None if nothing.

    Args:
        case: the case that was measured.
        model: its layers; the linear stack has none, because its shapes follow from the case.
    """
    has_none = case.kind == "linear" or not case.has_key("depth")
    if model is None:
        return None if has_none else f"lacks the measured layers of its model, kind {case.kind}"
    if has_none:
        return f"has measured layers, which kind {case.kind} does not have"
    if len(model.layers) != case.layers:
        return f"has {len(model.layers)} measured layers; its case has {case.layers}"
    if model.rows != case.batch_size // case.parts:
        return f"has layers measured with {model.rows} rows, which is not its micro-batch"
    if model.items_per_row < 1:
        return "has rows that hold nothing"
    for number, layer in enumerate(model.layers):
        if (problem := _why_no_layer(layer, number)) is not None:
            return f"has a layer {number} {problem}"
    if model.loss.parameters or model.loss.shares_with is not None:
        return "has a loss with parameters"
    return None if _why_no_layer(model.loss, 0) is None else "has a loss that is impossible"


def _why_no_layer(layer: LayerProfile, number: int) -> str | None:
    """Find what no layer has, as the end of a sentence."""
    values = [value for value in msgspec.structs.astuple(layer) if isinstance(value, int | float)]
    if max(values) > MOST or max(layer.forward_s or 0, layer.backward_s or 0) > LONGEST_S:
        return "with a number beyond any layer's"
    if not layer.parameters <= layer.parameter_bytes <= 16 * layer.parameters:
        return "whose parameters do not fit their bytes"
    if (layer.shares_with is None) != (layer.shared_bytes == 0):
        return "with shared bytes of no layer, or a layer of no shared bytes"
    if layer.shares_with is not None and layer.shares_with >= number:
        return "that shares parameters with a later one"
    flops = (layer.forward_flops, layer.input_gradient_flops, layer.weight_gradient_flops)
    if None in flops and flops != (None, None, None):
        return "with some of its operations alone"
    return None
