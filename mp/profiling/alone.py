"""A layer alone: how it runs, what it is given, and its operations."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from mp.hardware.precision import converted
from mp.profiling.operations import Operations, count_operations, count_recomputed
from mp.recompute import RunLayer, runner_of
from mp.weight_gradients import WeightGradients
from mp.workload import Workload


def taken_over(workload: Workload, layer: nn.Module) -> WeightGradients | None:
    """Return the store of a layer whose weight gradients are fused, as the case has it."""
    if workload.case.gradients != "fused":
        return None
    store = WeightGradients()
    store.take_over(layer)
    return store


def output_of(run: RunLayer, layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return the output of a layer that takes and returns one tensor.

    Args:
        run: how the case runs a layer.
        layer: the layer.
        x: its input.
    """
    output = run(layer, x)
    assert isinstance(output, torch.Tensor), "single_tensors refuses tuples"
    return output


def draw_input(
    workload: Workload, number: int, like: torch.Tensor, device: torch.device
) -> torch.Tensor:
    """Return random numbers in the shape of a layer's input; for the first layer, the batch.

    Args:
        workload: what the case trains.
        number: of the layer.
        like: its input's shape and dtype.
        device: where the input is made.
    """
    if number:
        return torch.randn(like.shape, dtype=like.dtype, device=device)
    with torch.device(device):
        return workload.cast(workload.batch(like.shape[0])[0]).to(device)


def count_layer(
    workload: Workload,
    number: int,
    like: torch.Tensor,
    device: torch.device,
    has_input_gradient: bool,
) -> Operations:
    """Return the operations of a layer.

    Args:
        workload: what the case trains.
        number: of the layer.
        like: its input's shape and dtype.
        device: where the layer runs if it needs data.
        has_input_gradient: whether its backward makes the gradient of its input.
    """

    def count(where: torch.device) -> Operations:
        with torch.device(where):
            layer = converted(workload.layer(number), workload.dtype, where)
        parameters = list(layer.parameters())
        is_meta = where.type == "meta"
        x = torch.empty_like(like) if is_meta else draw_input(workload, number, like, where)
        found = count_operations(layer, parameters, x, has_input_gradient)
        if workload.case.recompute == "none" or found.forward is None:
            return found
        taken_over(workload, layer)
        again = partial(output_of, runner_of(workload.case, may_draw=False), layer)
        return replace(found, recomputed=count_recomputed(layer, again, parameters, x))

    return without_data_or_on(device, count)


def without_data_or_on(
    device: torch.device, count: Callable[[torch.device], Operations]
) -> Operations:
    """Count on the meta device, which takes no memory; where that cannot be, on the real one."""
    try:
        return count(torch.device("meta"))
    except (NotImplementedError, RuntimeError):
        return count(device)
