"""Sizes of a ResNet's layers on a CUDA GPU, within some percent: cuDNN chooses its own workspaces.

a is what the convolutions within a block give, (rows, channels, height, width); a block gives 4 a.
The parts are those that H100s measured for a ResNet-50 of 224 pixels in bfloat16.
"""

from dataclasses import dataclass
from typing import Any

from predict.memory.kernels import BLOCK
from predict.memory.kinds.entry import cross_entropy, layer_of, model_of
from predict.memory.parts import ELEMENT_BYTES
from study.case import Case, given
from study.models import blocks_per_group
from study.results.layers import LayerProfile, ModelProfile
from study.schedules import IN_TWO_PARTS

EXPANSION = 4  # channels of a block's output, as a multiple of those within


def conv_profile(case: Case) -> ModelProfile:
    """Return the sizes of the layers with one part of the batch.

    Args:
        case: of a ResNet.
    """
    rows, element = case.batch_size // case.parts, ELEMENT_BYTES[case.dtype]
    width, classes = given(case.width), given(case.classes)
    image = given(case.image)
    size = -(-image // 2)
    layers = [_stem(case, rows * width * size**2 * element)]
    channels, size = width, -(-size // 2)
    for group, count in enumerate(blocks_per_group(case.depth)):
        for number in range(count):
            inner = width * 2**group
            stride = 2 if group and not number else 1
            before, size = size, -(-size // stride)
            block = _Block(
                inner=rows * inner * size**2 * element,
                wide=rows * inner * before**2 * element,
                into=rows * channels * before**2 * element,
                parameters=_parameters(channels, inner, is_same=number > 0),
                element=element,
                is_same=number > 0,
            )
            layers.append(_entry(case, block))
            channels = EXPANSION * inner
    pooled, scores = rows * channels * element, rows * classes * element
    layers.append(_classifier(case, pooled, scores, pooled * size**2, (channels + 1) * classes))
    loss = cross_entropy(rows * classes, element)
    batch = rows * 3 * image**2 * element
    return model_of(layers, loss, rows=rows, x=batch, target=8 * rows, item="image")


@dataclass(frozen=True)
class _Block:
    """Bytes of a block.

    Attributes:
        inner: of what its second convolution gives.
        wide: of what its first gives, before the image shrinks.
        into: of its input.
        parameters: how many it has.
        element: of one number.
        is_same: whether its input is added as it is; otherwise through a convolution.
    """

    inner: int
    wide: int
    into: int
    parameters: int
    element: int
    is_same: bool


def _parameters(channels: int, inner: int, *, is_same: bool) -> int:
    outputs = EXPANSION * inner
    body = channels * inner + 9 * inner**2 + inner * outputs + 2 * (2 * inner + outputs)
    return body if is_same else body + channels * outputs + 2 * outputs


def _stem(case: Case, first: int) -> LayerProfile:
    """Return the first layer: convolution, norm, ReLU, and the largest of each 3 x 3.

    Args:
        case: of the model.
        first: bytes that the convolution gives.
    """
    element = ELEMENT_BYTES[case.dtype]
    output, indices = first // 4, first // 4 * 8 // element
    parameters = given(case.width) * (3 * 49 + 2)
    kept = 2 * first + indices
    peak = output + first + BLOCK
    return _with_parts(
        case,
        kept,
        {"name": "stem", "parameters": parameters, "parameter_bytes": parameters * element,
         "forward_peak_bytes": kept + output},
        (output, peak, peak),
        deferred=0,
    )  # fmt: skip


def _entry(case: Case, block: _Block) -> LayerProfile:
    a, output = block.inner, EXPANSION * block.inner
    shortcut = 0 if block.is_same else output
    kept = 2 * block.wide + 2 * a + output + shortcut
    gradients = block.parameters * block.element
    is_smaller = block.wide > a
    if is_smaller:  # cuDNN copies the input of the convolution that shrinks it
        forward, again = kept + output + block.into + output, 20 * a
    else:
        forward = kept + 2 * output + (output if shortcut else 0)
        again = 2 * output + BLOCK
    return _with_parts(
        case,
        kept,
        {"name": "block", "parameters": block.parameters, "parameter_bytes": gradients,
         "forward_peak_bytes": forward, "keeps_output": True},
        (output, max(again, 20 * a + gradients if is_smaller else again), again),
        deferred=block.into + 2 * block.wide + 2 * a + 2 * output + shortcut,
    )  # fmt: skip


def _classifier(case: Case, pooled: int, scores: int, into: int, count: int) -> LayerProfile:
    gradients = count * ELEMENT_BYTES[case.dtype]
    again = into + pooled + BLOCK
    return _with_parts(
        case,
        pooled,
        {"name": "classifier", "parameters": count, "parameter_bytes": gradients,
         "forward_peak_bytes": pooled + scores, "keeps_input": False},
        (scores, again + gradients, again),
        deferred=into,
    )  # fmt: skip


def _with_parts(
    case: Case, kept: int, sizes: dict[str, Any], backward: tuple[int, int, int], *, deferred: int
) -> LayerProfile:
    """Return a layer with what a second run and a backward in two parts change of it.

    Args:
        case: of the model.
        kept: bytes that it keeps besides input and output.
        sizes: the other fields.
        backward: as `layer_of` takes it.
        deferred: bytes that wait for the weights' gradients besides those.
    """
    output, first, again = backward
    if case.recompute == "layers":
        first, again = kept + first, kept + again
        sizes |= {"keeps_input": True, "keeps_output": False}
    if case.schedule in IN_TWO_PARTS:
        peak = deferred + output
        sizes |= {"deferred_bytes": deferred, "keeps_output_gradient": False}
        sizes |= {"input_peak_bytes": peak, "weight_peak_bytes": sizes["parameter_bytes"]}
        if case.gradients == "fused":
            sizes |= {"input_again_peak_bytes": peak, "keeps_input_later": False}
            sizes |= {"later_gradient_bytes": 0}
    return layer_of(
        backward=(output, first, again),
        kept_bytes=0 if case.recompute == "layers" else kept,
        **sizes,
    )
