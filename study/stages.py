"""The stages of a case, and the rules of its schedule applied to it."""

from study.case import Case
from study.schedules import SCHEDULES


def chunks_of(case: Case) -> int:
    """Return how many stages each GPU holds."""
    return case.chunks_per_gpu if SCHEDULES[case.schedule].is_chunked else 1


def gpu_of_stage(case: Case) -> list[int]:
    """Return the GPU of each stage, in the first replica.

    GPUs of one stage follow one another, a replica after the other: gradients, of which there are
    mostly more bytes than of activations, are averaged between neighbours, as in Megatron-LM.
    """
    places = SCHEDULES[case.schedule].gpu_of_stage(case.pipeline_gpus, chunks_of(case))
    return [place * case.data_parallel for place in places]


def replica_of(case: Case, gpu: int) -> int:
    """Return the replica that a GPU belongs to; 0 where there is one model."""
    return gpu % case.replicas


def in_first_replica(case: Case, gpu: int) -> int:
    """Return the GPU of the first replica that has the same stages as this one."""
    return gpu - gpu % case.data_parallel


Parts = tuple[float, float, float]  # forward, gradient of the input, that of the weight


def bubble_share(case: Case, parts: Parts | None = None) -> float | None:
    """Return the share of a step, 0 to 1, in which a GPU is idle by the schedule's formula.

    `parts` are the work of a step's parts in any unit; None means that all are equal.
    """
    unequal = SCHEDULES[case.schedule].unequal_bubble
    if parts is not None and unequal is not None and len(set(parts)) > 1:
        return unequal(case.pipeline_gpus, case.micro_batches, *parts)
    bubble = SCHEDULES[case.schedule].bubble
    return bubble(case.pipeline_gpus, case.micro_batches, case.chunks_per_gpu)


def allowed_speed_up(case: Case, parts: Parts | None = None) -> float | None:
    """Return how many times as fast as one GPU the formula allows the GPUs to be."""
    share = bubble_share(case, parts)
    return None if share is None else case.gpus * (1 - share)


def expected_in_flight(case: Case, gpu: int) -> int | None:
    """Return how many micro-batches this GPU should hold at most; None where no rule is known."""
    rule = SCHEDULES[case.schedule].in_flight
    place = gpu // case.data_parallel
    return rule(case.pipeline_gpus, case.micro_batches, case.chunks_per_gpu, place)
