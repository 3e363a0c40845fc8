"""How often data should move in a step: once each way at every border, for every micro-batch."""

from itertools import pairwise

from study.case import Case
from study.stages import gpu_of_stage


def borders(case: Case) -> int:
    """Between how many neighbouring stages the data changes GPU; none under tensor parallelism.

    N - 1 where each of N GPUs has one run of layers; a V of two runs each folds back within the
    last GPU, and takes 2 (N - 1).
    """
    if case.schedule == "tensor":
        return 0
    return sum(a != b for a, b in pairwise(gpu_of_stage(case)))


def expected_moves(case: Case) -> int:
    """Moves of one step, each way."""
    return case.micro_batches * borders(case)
