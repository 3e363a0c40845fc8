"""The layers of a model with other rows than those with which they were measured."""

import msgspec

from study.results.layers import LayerProfile, ModelProfile

# Bytes that grow with the rows; of peaks, what is not gradients of parameters.
_MOVING = ("output_bytes", "kept_bytes", "forward_peak_bytes", "deferred_bytes", "input_peak_bytes",
           "input_again_peak_bytes")  # fmt: skip
_WITH_GRADIENTS = ("backward_peak_bytes", "again_peak_bytes", "received_backward_peak_bytes",
                   "received_again_peak_bytes", "weight_peak_bytes")  # fmt: skip


def scaled(model: ModelProfile, rows: int) -> ModelProfile:
    """Return the model with so many rows; it is the same where they were measured with these.

    Args:
        model: its layers as measured.
        rows: of a micro-batch.
    """
    if rows == model.rows:
        return model
    return msgspec.structs.replace(
        model,
        rows=rows,
        input_bytes=model.input_bytes * rows // model.rows,
        target_bytes=model.target_bytes * rows // model.rows,
        layers=tuple(_scaled(layer, rows, model.rows) for layer in model.layers),
        loss=_scaled(model.loss, rows, model.rows),
    )


def _scaled(layer: LayerProfile, rows: int, measured: int) -> LayerProfile:
    gradients = layer.parameter_bytes - layer.frozen_bytes + layer.shared_bytes
    changes = {}
    for key in _MOVING:
        if (value := getattr(layer, key)) is not None:
            changes[key] = value * rows // measured
    for key in _WITH_GRADIENTS:
        if (value := getattr(layer, key)) is not None:
            fixed = min(gradients, value)
            changes[key] = fixed + (value - fixed) * rows // measured
    return msgspec.structs.replace(layer, **changes)
