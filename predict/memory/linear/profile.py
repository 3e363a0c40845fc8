"""The profile of the linear stack, whose layers nobody measures: their sizes follow from its case.

tests/mp/test_profile_memory.py holds it against layers as measured.
"""

import msgspec

from predict.memory.parts import ELEMENT_BYTES
from study.case import Case
from study.results.layers import LayerProfile, ModelProfile
from study.schedules import IN_TWO_PARTS


def linear_profile(case: Case, reduction: int = 0) -> ModelProfile:
    """Return the sizes of the layers with one part of the batch; seconds are left out.

    Args:
        case: of a linear stack.
        reduction: bytes that the sum over a part's rows takes for itself.
    """
    count = case.batch_size // case.parts
    rows = count * case.dim * ELEMENT_BYTES[case.dtype]
    layers = [_layer(case, number, rows, reduction) for number in range(case.depth)]
    # torch's mse_loss keeps a buffer of the output's size.
    loss = _entry("loss", output=rows, keeps_input=True, forward=rows, backward=(rows,) * 4)
    if case.gradients == "fused" and case.schedule in IN_TWO_PARTS:
        layers = [_put_off(case, layer, rows, reduction) for layer in layers]
    return ModelProfile(
        rows=count,
        input_bytes=rows,
        target_bytes=rows,
        layers=tuple(layers),
        loss=loss,
        item="sample",
        items_per_row=1,
    )


def _layer(case: Case, number: int, rows: int, reduction: int) -> LayerProfile:
    """Return a linear layer, behind a ReLU unless it is the first.

    Args:
        case: its case.
        number: of the layer.
        rows: bytes of an activation.
        reduction: bytes that the sum over the rows takes for itself.
    """
    element = ELEMENT_BYTES[case.dtype]
    size = (case.dim**2 + case.dim) * element
    # A fused product adds to the weight's gradient in place; the bias's is another tensor.
    is_fused = case.gradients == "fused"
    again = (case.dim * element if is_fused else size) + reduction
    is_again = case.recompute == "layers"
    if number == 0:
        made = rows if is_again and is_fused else 0  # its output, as its product runs again
        received = max(size + reduction, made), max(again, made)
        backward = (rows + received[0], rows + received[1], *received)
        return _entry("layer 0", size, output=rows, keeps_input=True, forward=rows,
                      backward=backward)  # fmt: skip
    relu = rows if is_again else 0  # the ReLU's output, where it is made again
    backward = (
        relu + 2 * rows + size + reduction,
        relu + max(2 * rows + again, 2 * rows),
        relu + max(rows + size + reduction, 2 * rows + size),
        relu + max(rows + again, 2 * rows),
    )
    return _entry(f"layer {number}", size, output=rows, kept=0 if is_again else rows,
                  keeps_input=is_again, forward=2 * rows, backward=backward)  # fmt: skip


def _put_off(case: Case, layer: LayerProfile, rows: int, reduction: int) -> LayerProfile:
    """Return a layer with what waits of a backward whose weight gradients are put off.

    Args:
        case: its case.
        layer: without that.
        rows: bytes of an activation.
        reduction: bytes that the sum over the rows takes for itself.
    """
    is_first = layer.name == "layer 0"
    # Gradients of output, of ReLU's output and of the input, and what is made again. The first
    # layer has no gradient of its input.
    peak = ((1 if is_first else 3) + (case.recompute == "layers")) * rows
    return msgspec.structs.replace(
        layer,
        deferred_bytes=0 if is_first else rows,
        keeps_output_gradient=True,
        input_peak_bytes=peak,
        input_again_peak_bytes=peak,
        weight_peak_bytes=case.dim * ELEMENT_BYTES[case.dtype] + reduction,
        later_gradient_bytes=layer.parameter_bytes,
        keeps_input_later=is_first,
    )


def _entry(
    name: str,
    size: int = 0,
    *,
    output: int,
    kept: int = 0,
    keeps_input: bool,
    forward: int,
    backward: tuple[int, int, int, int],
) -> LayerProfile:
    """Return an entry without operations and seconds.

    Args:
        name: of the layer.
        size: bytes of its parameters.
        output: bytes of its output.
        kept: bytes that it keeps besides input and output.
        keeps_input: whether it keeps its input.
        forward: the peak of its forward.
        backward: the peaks of its backward: with new gradients, with earlier ones, and both again
            where the output's gradient lies in a buffer.
    """
    first, again, received, received_again = backward
    return LayerProfile(
        name=name,
        parameters=0,
        parameter_bytes=size,
        output_bytes=output,
        kept_bytes=kept,
        keeps_input=keeps_input,
        keeps_output=False,
        forward_flops=None,
        input_gradient_flops=None,
        weight_gradient_flops=None,
        forward_s=None,
        backward_s=None,
        forward_peak_bytes=forward,
        backward_peak_bytes=first,
        again_peak_bytes=again,
        received_backward_peak_bytes=received,
        received_again_peak_bytes=received_again,
    )
