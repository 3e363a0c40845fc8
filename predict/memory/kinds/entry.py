"""An entry of a model's profile that closed forms make: without seconds."""

from typing import Any

from study.results.layers import LayerProfile, ModelProfile


def layer_of(name: str, *, backward: tuple[int, int, int], **sizes: Any) -> LayerProfile:
    """Return a layer whose backward takes less by its output where that lies in a buffer.

    Args:
        name: of the layer.
        backward: bytes of its output's gradient, and of the peak of its backward with new gradients
            and with earlier ones, that gradient included.
        sizes: the other fields that have no default.
    """
    output, first, again = backward
    fields: dict[str, Any] = {
        "parameters": 0,
        "parameter_bytes": 0,
        "kept_bytes": 0,
        "keeps_input": True,
        "keeps_output": False,
        "forward_flops": 0,
        "input_gradient_flops": 0,
        "weight_gradient_flops": 0,
        "forward_s": None,
        "backward_s": None,
    }
    return LayerProfile(
        name=name,
        output_bytes=output,
        backward_peak_bytes=first,
        again_peak_bytes=again,
        received_backward_peak_bytes=first - output,
        received_again_peak_bytes=again - output,
        **fields | sizes,
    )


def model_of(
    layers: list[LayerProfile], loss: LayerProfile, *, rows: int, x: int, target: int, item: str
) -> ModelProfile:
    """Return a model of these layers.

    Args:
        layers: in order.
        loss: behind the last.
        rows: of a micro-batch.
        x: bytes of the input.
        target: bytes of the target.
        item: what a user counts.
    """
    return ModelProfile(
        rows=rows,
        input_bytes=x,
        target_bytes=target,
        layers=tuple(layers),
        loss=loss,
        item=item,
        items_per_row=1,
    )


def cross_entropy(count: int, element: int) -> LayerProfile:
    """Return the loss: torch's cross_entropy of float32 scores, which it converts to that.

    Args:
        count: of the scores.
        element: bytes of one before.
    """
    scores = 4 * count
    peak = 2 * scores
    return layer_of(
        "loss",
        backward=(4, peak, peak),
        kept_bytes=scores + 4,
        keeps_input=False,
        forward_peak_bytes=scores if element == 4 else peak + 1024,
    )
