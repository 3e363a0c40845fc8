"""Peak memory of each GPU of a case before it runs: from its layers, its stages and its order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from predict.memory.kernels import WORKSPACE, beside_torch, row_sum_bytes
from predict.memory.layers.data_parallel import follow_data_parallel
from predict.memory.layers.naive import follow_step
from predict.memory.layers.pipeline import follow_pipeline
from predict.memory.linear.naive import predict
from predict.memory.linear.pipeline import predict_pipeline
from predict.memory.linear.profile import linear_profile
from predict.memory.linear.tensor import follow_tensor
from predict.memory.parts import MemoryBreakdown
from predict.memory.places import gpu_of_layer, neighbours_of, stage_of_layer
from predict.orders.action import Action
from predict.orders.order import orders
from study.case import Case
from study.results.layers import ModelProfile
from study.schedules import SCHEDULES
from study.stages import chunks_of

MOST_ACTIONS = 1_000_000  # of all GPUs, about two seconds
SMALL = 20_000  # actions of an order that is kept
# Keys of a case that change no memory, with one value for all.
NEUTRAL_KEYS: Mapping[str, Any] = {
    "seed": 0,
    "warmup_steps": 0,
    "steps": 1,
    "time_limit_s": 1.0,
    "ci_half_width": 0.0,
    "repeat": 1,
}


@dataclass(frozen=True)
class Peak:
    """The most memory that one GPU holds.

    Attributes:
        gpu: its number.
        parts: bytes of torch's tensors, without cuBLAS's workspace.
        beside: bytes that CUDA and NCCL take besides on H100s and H200s.
        is_sure: whether a job is sure to do what was followed; otherwise it is an estimate.
    """

    gpu: int
    parts: MemoryBreakdown
    beside: int
    is_sure: bool = True

    @property
    def allocated(self) -> int:
        """Bytes that torch's allocator gives out at its peak, cuBLAS's workspace included."""
        return self.parts.total + WORKSPACE

    @property
    def held(self) -> int:
        """Bytes of parameters, gradients and optimizer state."""
        return self.parts.parameters + self.parts.gradients + self.parts.optimizer_state

    @property
    def needed(self) -> int:
        """Bytes of an H100 or H200 that are in use at least."""
        return self.allocated + self.beside


class TooLong(ValueError):
    """A step has too many actions to be followed."""


def memory_case(case: Case) -> Case:
    """Return the case with one value for the keys that change no memory."""
    return msgspec.structs.replace(case, **NEUTRAL_KEYS)


def peaks_of(
    case: Case, model: ModelProfile | None = None, stages: list[int] | None = None
) -> list[Peak]:
    """Return the peak of each GPU; of replicas, and of GPUs that all hold the same, of the first.

    Args:
        case: the configuration.
        model: its layers with one part of the batch; None for the linear stack.
        stages: the stage of each layer of a pipeline, where a job has cut it; None before.

    Raises:
        TooLong: there are more actions than `MOST_ACTIONS`.
    """
    is_sure = True
    if SCHEDULES[case.schedule].is_pipeline:
        if stages is None:
            stages, is_sure = stage_of_layer(case, model)
        found = _of_pipeline(case, model, stages)
    else:
        found = dict(enumerate(_together(case, model)))
    return [
        Peak(
            gpu,
            parts,
            beside_torch(neighbours_of(case, gpu), in_processes=case.in_processes),
            is_sure,
        )
        for gpu, parts in found.items()
    ]


def peaks_of_cuts(
    case: Case, model: ModelProfile | None, cuts: Sequence[Sequence[int]]
) -> list[list[Peak]]:
    """Return the peaks of each GPU with each cut into stages, or with the only one there is.

    Args:
        case: the configuration.
        model: its layers with one part of the batch; None for the linear stack.
        cuts: the stage of each layer, as a job may cut by time; none where it does not, or where
            no times are known.

    Raises:
        TooLong: there are more actions than `MOST_ACTIONS`.
    """
    return [peaks_of(case, model, list(cut)) for cut in cuts] or [peaks_of(case, model)]


def _together(case: Case, model: ModelProfile | None) -> list[MemoryBreakdown]:
    """Return what each GPU holds where none has stages; the first of those that hold the same."""
    schedule = SCHEDULES[case.schedule]
    if schedule.family == "tensor":
        return follow_tensor(case)[:1]
    if schedule.family == "data":
        return follow_data_parallel(case, model or linear_profile(case, _row_sum(case)))[:1]
    if model is None:
        return predict(case, gpu_of_layer(case), _row_sum(case)).peaks
    return follow_step(case, model, gpu_of_layer(case)).peaks


def _of_pipeline(
    case: Case, model: ModelProfile | None, stages: list[int]
) -> dict[int, MemoryBreakdown]:
    chunks, gpus = chunks_of(case), case.pipeline_gpus
    if 3 * chunks * gpus * (case.micro_batches + gpus) > MOST_ACTIONS:
        raise TooLong
    each = _orders(case.schedule, gpus, case.micro_batches, chunks)
    by_gpu = {gpu * case.data_parallel: actions for gpu, actions in enumerate(each)}
    if model is None and case.gradients == "separate":
        return predict_pipeline(case, stages, _row_sum(case), by_gpu)
    return follow_pipeline(case, model or linear_profile(case, _row_sum(case)), stages, by_gpu)


def _orders(schedule: str, gpus: int, micro_batches: int, chunks: int) -> list[list[Action]]:
    is_small = 3 * gpus * micro_batches * chunks <= SMALL
    return (_small_orders if is_small else orders)(schedule, gpus, micro_batches, chunks)


@lru_cache(maxsize=256)
def _small_orders(schedule: str, gpus: int, micro_batches: int, chunks: int) -> list[list[Action]]:
    """Return the orders of a step that many cases of a plan have in common."""
    return orders(schedule, gpus, micro_batches, chunks)


def _row_sum(case: Case) -> int:
    return row_sum_bytes(case.batch_size // case.parts, case.dim)
