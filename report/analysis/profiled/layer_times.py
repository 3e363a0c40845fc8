"""Seconds of each layer within a pipeline, from the times of its stages."""

from collections.abc import Sequence

import numpy as np

from study.results.layers import LayerProfile, ModelProfile

CLOSE = 0.1  # relative; a stage that layers explain worse has other reasons for its time
DOUBT = 1e-3  # of the profile; far less than that of what several stages tell


def layer_times(
    model: ModelProfile,
    alone: Sequence[float],
    stage_of_layer: Sequence[int],
    stages_s: Sequence[float],
) -> list[float] | None:
    """Return the seconds of each layer, so that those of a stage add up to its time.

    A layer that is measured alone may wait for the host to launch it, which a stage of many does
    not, so such a layer's share is not to be trusted. Layers alike in parameters, operations and
    bytes take equally long here; with these equations the times come nearest to the stages', and
    where those leave them open, to the profile's (ridge regression, in its dual form: stages are
    few, kinds of layers may be many).

    Args:
        model: The layers.
        alone: What each costs alone, in any unit, the loss with the last.
        stage_of_layer: The stage of each.
        stages_s: The seconds of each stage.

    Returns:
        The times; None where they do not explain a stage's time by `CLOSE`.
    """
    kinds: dict[tuple[object, ...], int] = {}
    last = len(alone) - 1
    kind_of = [
        kinds.setdefault((*_sizes(layer), number == last), len(kinds))
        for number, layer in enumerate(model.layers)
    ]
    counts, costs = np.zeros((len(stages_s), len(kinds))), np.zeros(len(kinds))
    for kind, stage, cost in zip(kind_of, stage_of_layer, alone, strict=True):
        counts[stage, kind] += 1
        costs[kind] += cost
    costs *= sum(stages_s) / costs.sum() / counts.sum(axis=0)
    shares = counts * costs / np.asarray(stages_s)[:, None]
    missing = 1 - shares.sum(axis=1)
    dual = np.linalg.solve(shares @ shares.T + DOUBT * np.eye(len(stages_s)), missing)
    costs *= np.maximum(0, 1 + shares.T @ dual)
    explained = counts @ costs / np.asarray(stages_s)
    if np.abs(explained - 1).max() > CLOSE:
        return None
    return [float(costs[kind]) for kind in kind_of]


def _sizes(layer: LayerProfile) -> tuple[object, ...]:
    return (
        layer.parameters,
        layer.shared_bytes,
        layer.output_bytes,
        layer.kept_bytes,
        layer.forward_flops,
        layer.input_gradient_flops,
        layer.weight_gradient_flops,
    )
