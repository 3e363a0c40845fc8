"""The GPU of each layer, or the stage of each, before anything has run."""

from functools import lru_cache
from itertools import pairwise

from study.balance import balanced_map, even_map
from study.case import Case
from study.results.costs import known_costs
from study.results.layers import ModelProfile
from study.schedules import SCHEDULES
from study.stages import chunks_of, gpu_of_stage


def gpu_of_layer(case: Case) -> list[int]:
    """Return the GPU of each layer of a naive case."""
    if case.split == "half":
        return [int(number >= case.layers // 2) for number in range(case.layers)]
    return even_map(case.layers, case.gpus)


def stage_of_layer(case: Case, model: ModelProfile | None) -> tuple[list[int], bool]:
    """Return the stage of each layer of a pipeline, and whether a job is sure to cut there.

    With `balance: time` a job measures its layers first. Here the cut is by the times of an earlier
    job, without them by operations, or where those are unknown into equally many layers.

    Args:
        case: of a pipeline.
        model: its layers; None for the linear stack.
    """
    count = case.pipeline_gpus * chunks_of(case)
    if case.balance[0].isdigit():
        counts = enumerate(map(int, case.balance.split(",")))
        return [stage for stage, layers in counts for _ in range(layers)], True
    if count == 1 or case.balance == "layers":
        return even_map(case.layers, count), True
    costs = _costs_of(case, model)
    if costs is None:
        return even_map(case.layers, count), False
    return balanced_map(costs, count), case.balance != "time"


def _costs_of(case: Case, model: ModelProfile | None) -> list[float] | None:
    """Return what each layer costs by the case's balance; None where nobody knows."""
    by = "flops" if case.balance == "time" else case.balance
    if model is not None:
        times = known_costs(model, "time") if case.balance == "time" else None
        return times if times and sum(times) > 0 else known_costs(model, by)
    if by == "parameters":
        return [1.0] * case.layers
    return [2.0, *[3.0] * (case.layers - 1)]  # the first layer's input needs no gradient


@lru_cache(maxsize=256)
def neighbours_of(case: Case, gpu: int) -> int | None:
    """Return how many GPUs one exchanges activations with; None where several work together.

    Args:
        case: the configuration.
        gpu: of the first replica.
    """
    if not SCHEDULES[case.schedule].is_pipeline:
        return None if case.gpus > 1 else 0
    order = gpu_of_stage(case)
    pairs = [pair for pair in pairwise(order) if gpu in pair]
    return len({one for pair in pairs for one in pair} - {gpu})
