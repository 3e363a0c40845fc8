"""Transfers of a step: the expected number of moves, and collectives in words."""

from collections import Counter
from itertools import pairwise

from report.analysis.replay import spans_of
from report.data.measured import MeasuredCase
from report.wording.units import count_of
from study.case import Case
from study.results.result import Collective
from study.schedules import SCHEDULES
from study.stages import gpu_of_stage

COLLECTIVES = {
    "all_reduce": "all-reduce",
    "broadcast": "broadcast",
    "all_gather_into_tensor": "all-gather",
    "reduce_scatter_tensor": "reduce-scatter",
}


def stage_boundaries(case: Case) -> int:
    """Return the number of stage boundaries where data changes GPU; 0 where layers are on all.

    N - 1 for N GPUs with one run of layers each; 2 (N - 1) for a V, which folds back within the
    last GPU.
    """
    if SCHEDULES[case.schedule].is_on_all_gpus:
        return 0
    return sum(a != b for a, b in pairwise(gpu_of_stage(case)))


def expected_moves(case: Case) -> int:
    """Return the moves of one step each way: one at each boundary for every micro-batch.

    Each replica of a pipeline has boundaries of its own.
    """
    return case.data_parallel * case.micro_batches * stage_boundaries(case)


def is_chain(case: Case) -> bool:
    """Return True if N GPUs should move data N - 1 times each way."""
    return expected_moves(case) == case.gpus - 1


def counted(collectives: tuple[Collective, ...], phase: str | None = None) -> str:
    """Return `19 all-reduces and 1 all-gather`, of one phase or of all; empty for none."""
    calls: Counter[str] = Counter()
    for one in collectives:
        if phase in (None, one.phase):
            calls[COLLECTIVES.get(one.operation, one.operation)] += one.calls
    return " and ".join(count_of(count, name) for name, count in calls.items() if count)


def in_collectives_s(result: MeasuredCase) -> dict[int, float]:
    """Return the seconds in collectives of each GPU that has some, in the typical step."""
    found: dict[int, float] = {}
    for span in spans_of(result):
        if span.kind == "collective":
            found[span.gpu] = found.get(span.gpu, 0.0) + span.end_s - span.start_s
    return {gpu: s for gpu, s in found.items() if s > 0}


def total_bytes(collectives: tuple[Collective, ...]) -> int:
    """Return the bytes of one GPU's tensors in all collectives; in a pipeline, of all stages."""
    return sum(one.bytes for one in collectives)
