"""Predicted peak memory of each GPU, from the configuration and the layer map alone.

A step is followed layer by layer, as torch's autograd runs it: forward keeps the input of every
layer; backward frees it once the layer's gradients exist; the optimizer runs when all gradients
exist and the activations are freed.
"""

from functools import cache, lru_cache
from typing import Any

import msgspec

from report.analysis.memory_parts import (
    ELEMENT_BYTES,
    OPTIMIZER_TEMPORARIES,
    Account,
    MemoryBreakdown,
)
from report.analysis.pipeline_memory import predict_pipeline
from report.analysis.profiled.data_parallel import follow_data_parallel
from report.analysis.profiled.linear import linear_profile
from report.analysis.profiled.naive import follow_step
from report.analysis.profiled.pipeline import follow_pipeline
from report.analysis.replay import actions_of
from report.data.measured import MeasuredCase
from study.case import Case
from study.results.layers import ModelProfile
from study.schedules import SCHEDULES

# Keys of a case that change no memory, with one value for all.
NEUTRAL_KEYS: dict[str, Any] = {
    "seed": 0,
    "warmup_steps": 0,
    "steps": 1,
    "time_limit_s": 1.0,
    "ci_half_width": 0.0,
    "repeat": 1,
}


def predict(case: Case, gpu_of_layer: list[int], reduction: int = 0) -> Account:
    """Return the peak of each GPU and of all together, without cuBLAS's workspace.

    Args:
        case: The configuration.
        gpu_of_layer: The GPU of each layer.
        reduction: Bytes that the kernel of a bias's gradient takes for itself. torch chooses the
            kernel by the GPU, so this is measured, not predicted.
    """
    case = msgspec.structs.replace(case, **NEUTRAL_KEYS)
    return _follow_step(case, tuple(gpu_of_layer), reduction)


@cache
def predicted_of(result: MeasuredCase) -> list[MemoryBreakdown] | None:
    """Return what each GPU of a result holds at its peak.

    None for tensor parallelism, for a CUDA graph of a process for each GPU, for a pipeline without
    instrumented steps, and without a measured reduction over as many rows as a part of the batch
    has. Where the layers were measured, what kernels take for themselves was measured with them.
    """
    if result.case.execution == "cuda_graph" and result.case.in_processes:
        return None
    if result.model is not None:
        return _of_layers(result, result.model)
    if result.case.schedule == "naive":
        return predict(result.case, result.placement.gpu_of_layer, _reduction(result)).peaks
    if not _knows_reduction(result):
        return None
    if SCHEDULES[result.case.schedule].is_pipeline and result.case.gradients == "separate":
        return predict_pipeline(result, _reduction(result))
    return _of_layers(result, linear_profile(result.case, _reduction(result)))


def predicted_peak(result: MeasuredCase, gpu: int) -> int | None:
    """Return the predicted peak of one GPU in bytes, with cuBLAS's workspace.

    None where nothing is predicted, or no peak was measured to compare it with.
    """
    found, measured = predicted_of(result), result.measurement.per_gpu[gpu]
    if found is None or measured.peak_allocated_bytes is None:
        return None
    return found[gpu].total + (measured.workspace_bytes or 0)


def predicted_shared_peak_of(result: MeasuredCase) -> int:
    """Return the predicted peak of all GPUs of a result together, in bytes."""
    if result.model is not None:
        return follow_step(result.case, result.model, result.placement.gpu_of_layer).shared_peak
    return predict(result.case, result.placement.gpu_of_layer, _reduction(result)).shared_peak


def _of_layers(result: MeasuredCase, model: ModelProfile) -> list[MemoryBreakdown] | None:
    """Return what each GPU holds at its peak, from the layers as measured."""
    places = result.placement.gpu_of_layer
    if result.case.schedule == "naive":
        return follow_step(result.case, model, places).peaks
    if SCHEDULES[result.case.schedule].family == "data":
        return follow_data_parallel(result.case, model)
    actions = actions_of(result)
    if not actions or not SCHEDULES[result.case.schedule].is_pipeline:
        return None
    return follow_pipeline(result.case, model, result.placement.stage_of_layer or places, actions)


def _knows_reduction(result: MeasuredCase) -> bool:
    """Return True if the reduction was measured over as many rows as a part of the batch has."""
    rows = result.case.batch_size // result.case.parts
    known = [g for g in result.measurement.per_gpu if g.reduction_bytes is not None]
    return all((g.reduction_rows or result.case.batch_size) == rows for g in known)


def _reduction(result: MeasuredCase) -> int:
    """Return the measured reduction; 0 for a CUDA graph, which has its temporaries elsewhere."""
    if result.case.execution == "cuda_graph":
        return 0
    return max(gpu.reduction_bytes or 0 for gpu in result.measurement.per_gpu)


@lru_cache(maxsize=64)  # the same for repeats, and for a table and its figure
def _follow_step(case: Case, gpu_of_layer: tuple[int, ...], reduction: int) -> Account:
    """Follow forward, backward and optimizer, and look at every moment that may be a peak."""
    element = ELEMENT_BYTES[case.dtype]
    layer = (case.dim**2 + case.dim) * element
    rows = case.batch_size * case.dim * element
    first, last = gpu_of_layer[0], gpu_of_layer[-1]
    sizes = [gpu_of_layer.count(gpu) * layer for gpu in range(case.gpus)]
    account = Account(case, sizes)
    account.change(first, activations=rows)  # the batch
    # The target; and the loss: torch's mse_loss keeps a buffer of the output's size. It is that of
    # the step before until the new one, and what mse_loss needs as it runs, are there too.
    account.change(last, activations=2 * rows)
    _forward(account, gpu_of_layer, rows)
    if case.execution == "eager":  # a graph's tensors lie elsewhere
        account.look(last, activations=2 * rows)
    account.look(last, activations=rows)  # the output's gradient, which then replaces it
    again = rows if case.recompute == "layers" else 0
    _backward(account, gpu_of_layer, rows, layer, reduction, again)
    extra = OPTIMIZER_TEMPORARIES[case.optimizer]
    for gpu, size in enumerate(sizes):
        account.look(gpu, temporaries=extra * size)
    # On one device, torch's foreach optimizer has all temporaries at once.
    account.look_at_all(extra * sum(sizes))
    return account


def _forward(account: Account, gpu_of_layer: tuple[int, ...], rows: int) -> None:
    for i, gpu in enumerate(gpu_of_layer):
        account.change(gpu, activations=rows)  # the output; the one before it is still there
        account.look(gpu, activations=rows if i else 0)
        if i + 1 < len(gpu_of_layer) and gpu_of_layer[i + 1] != gpu:  # it moves to the next GPU
            account.change(gpu, activations=-rows)
            account.change(gpu_of_layer[i + 1], activations=rows)


def _backward(
    account: Account,
    gpu_of_layer: tuple[int, ...],
    rows: int,
    layer: int,
    reduction: int,
    again: int,
) -> None:
    """Follow backward.

    Args:
        account: Of all GPUs.
        gpu_of_layer: The GPU of each layer.
        rows: Bytes of an activation.
        layer: Bytes of a layer's parameters.
        reduction: Bytes that the kernel of a bias's gradient takes for itself.
        again: Bytes of the ReLU's output, where the layer is run again.
    """
    for i in range(len(gpu_of_layer) - 1, -1, -1):
        gpu = gpu_of_layer[i]
        account.change(gpu, gradients=layer)
        # The gradient of its input, and the reduction of the bias's gradient.
        account.look(gpu, activations=rows + again if i else 0, temporaries=reduction)
        account.change(gpu, activations=-rows)  # its input; the gradient replaces the one before
        if i and gpu_of_layer[i - 1] != gpu:
            account.change(gpu, activations=-rows)
            account.change(gpu_of_layer[i - 1], activations=rows)
