"""Predicted peak memory of each GPU of a result, by its layers and the order of its actions."""

from functools import cache

from predict.memory.layers.data_parallel import follow_data_parallel
from predict.memory.layers.naive import follow_step
from predict.memory.layers.pipeline import follow_pipeline
from predict.memory.linear.naive import predict
from predict.memory.linear.pipeline import predict_pipeline
from predict.memory.linear.profile import linear_profile
from predict.memory.parts import MemoryBreakdown
from report.analysis.replay import orders_of
from report.data.measured import MeasuredCase
from study.results.layers import ModelProfile
from study.schedules import SCHEDULES


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
        return _of_linear_stack(result)
    return _of_layers(result, linear_profile(result.case, _reduction(result)))


def predicted_peak(result: MeasuredCase, gpu: int) -> int | None:
    """Return the predicted peak of one GPU in bytes, with cuBLAS's workspace.

    None where nothing is predicted, or no peak was measured to compare it with.
    """
    found, measured = predicted_of(result), result.measurement.per_gpu[gpu]
    if found is None or measured.peak_allocated_bytes is None:
        return None
    return found[gpu].total + (measured.workspace_bytes or 0)


def workspace_of(result: MeasuredCase, gpu: int) -> int | None:
    """Return the bytes of cuBLAS's workspace on one GPU; None where it was not measured.

    Emulated GPUs share one; as many real ones would have one each.
    """
    per_gpu = result.measurement.per_gpu
    return per_gpu[gpu].workspace_bytes or per_gpu[0].workspace_bytes


def predicted_shared_peak_of(result: MeasuredCase) -> int:
    """Return the predicted peak of all GPUs of a result together, in bytes."""
    if result.model is not None:
        return follow_step(result.case, result.model, result.placement.gpu_of_layer).shared_peak
    return predict(result.case, result.placement.gpu_of_layer, _reduction(result)).shared_peak


def _of_linear_stack(result: MeasuredCase) -> list[MemoryBreakdown] | None:
    """Return what each GPU of a pipeline holds at its peak; None without instrumented steps."""
    orders, placement = orders_of(result), result.placement
    stages = placement.stage_of_layer or placement.gpu_of_layer
    if not orders:
        return None
    return _by_gpu(result, predict_pipeline(result.case, stages, _reduction(result), orders))


def _by_gpu(result: MeasuredCase, found: dict[int, MemoryBreakdown]) -> list[MemoryBreakdown]:
    return [found[gpu] for gpu in range(result.case.gpus)]


def _of_layers(result: MeasuredCase, model: ModelProfile) -> list[MemoryBreakdown] | None:
    """Return what each GPU holds at its peak, from the layers as measured."""
    places = result.placement.gpu_of_layer
    if result.case.schedule == "naive":
        return follow_step(result.case, model, places).peaks
    if SCHEDULES[result.case.schedule].family == "data":
        return follow_data_parallel(result.case, model)
    orders = orders_of(result)
    if not orders or not SCHEDULES[result.case.schedule].is_pipeline:
        return None
    stages = result.placement.stage_of_layer or places
    return _by_gpu(result, follow_pipeline(result.case, model, stages, orders))


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
