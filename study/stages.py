"""The stages of a case, and the rules of its schedule applied to it."""

from study.case import Case
from study.schedules import SCHEDULES


def chunks_of(case: Case) -> int:
    """Return how many stages each GPU holds."""
    return case.chunks_per_gpu if SCHEDULES[case.schedule].is_chunked else 1


def gpu_of_stage(case: Case) -> list[int]:
    """Return the GPU of each stage."""
    return SCHEDULES[case.schedule].gpu_of_stage(case.gpus, chunks_of(case))


Parts = tuple[float, float, float]  # forward, gradient of the input, that of the weight


def bubble_share(case: Case, parts: Parts | None = None) -> float | None:
    """Return the share of a step, 0 to 1, in which a GPU is idle by the schedule's formula.

    `parts` are the work of a step's parts in any unit; None means that all are equal.
    """
    unequal = SCHEDULES[case.schedule].unequal_bubble
    if parts is not None and unequal is not None and len(set(parts)) > 1:
        return unequal(case.gpus, case.micro_batches, *parts)
    return SCHEDULES[case.schedule].bubble(case.gpus, case.micro_batches, case.chunks_per_gpu)


def allowed_speed_up(case: Case, parts: Parts | None = None) -> float | None:
    """Return how many times as fast as one GPU the formula allows the GPUs to be."""
    share = bubble_share(case, parts)
    return None if share is None else case.gpus * (1 - share)


def expected_in_flight(case: Case, gpu: int) -> int | None:
    """Return how many micro-batches this GPU should hold at most; None where no rule is known."""
    rule = SCHEDULES[case.schedule].in_flight
    return rule(case.gpus, case.micro_batches, case.chunks_per_gpu, gpu)
