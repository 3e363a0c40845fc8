"""How often data should move in a step: once each way at every border, for every micro-batch."""

from collections import Counter
from itertools import pairwise

from report.wording.units import plural
from study.case import Case
from study.results.result import Collective
from study.stages import gpu_of_stage

COLLECTIVES = {
    "all_reduce": "all-reduce",
    "all_gather_into_tensor": "all-gather",
    "reduce_scatter_tensor": "reduce-scatter",
}


def stage_boundaries(case: Case) -> int:
    """Between how many neighbouring stages the data changes GPU; none under tensor parallelism.

    N - 1 where each of N GPUs has one run of layers; a V of two runs each folds back within the
    last GPU, and takes 2 (N - 1).
    """
    if case.schedule == "tensor":
        return 0
    return sum(a != b for a, b in pairwise(gpu_of_stage(case)))


def expected_moves(case: Case) -> int:
    """Moves of one step, each way."""
    return case.micro_batches * stage_boundaries(case)


def is_chain(case: Case) -> bool:
    """Return True if the GPUs pass on one batch, so that it moves GPUs - 1 times each way."""
    return expected_moves(case) == case.gpus - 1


def counted(collectives: tuple[Collective, ...], phase: str | None = None) -> str:
    """`19 all-reduces and 1 all-gather`, of one phase or of all; empty where there are none."""
    calls: Counter[str] = Counter()
    for one in collectives:
        if phase in (None, one.phase):
            calls[COLLECTIVES.get(one.operation, one.operation)] += one.calls
    return " and ".join(f"{count} {plural(count, name)}" for name, count in calls.items() if count)


def total_bytes(collectives: tuple[Collective, ...]) -> int:
    """Those of one GPU's tensors in all of them."""
    return sum(one.bytes for one in collectives)
