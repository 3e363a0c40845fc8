"""The order in which each GPU does its actions, for every schedule that has one.

They are those of torch.distributed.pipelining, 2.11 to 2.13, made without torch.
"""

from collections.abc import Callable, Iterator

from predict.orders.action import Action
from predict.orders.interleaved import interleaved, zero_bubble
from predict.orders.zbv import zbv

Order = Callable[[int, int, int, int], Iterator[Action]]


def orders(schedule: str, gpus: int, micro_batches: int, chunks: int = 1) -> list[list[Action]]:
    """Return the actions of each GPU, in their order.

    Args:
        schedule: its name in study/schedules.py.
        gpus: those of one replica.
        micro_batches: of one replica; 1 under the naive schedule.
        chunks: stages of each GPU.

    Raises:
        ValueError: if the schedule has no order, or none for these numbers.
    """
    order = order_of(schedule, gpus, micro_batches, chunks)
    return [[*order(gpus, micro_batches, chunks, gpu)] for gpu in range(gpus)]


def order_of(schedule: str, gpus: int, micro_batches: int, chunks: int) -> Order:
    """Return what yields the actions of a GPU one by one, given (gpus, m, chunks, gpu).

    Args:
        schedule: its name in study/schedules.py.
        gpus: those of one replica.
        micro_batches: of one replica.
        chunks: stages of each GPU.

    Raises:
        ValueError: if the schedule has no order, or none for these numbers.
    """
    if schedule not in _ORDERS:
        raise ValueError(f"schedule {schedule} has no order of actions; use {', '.join(_ORDERS)}")
    if min(gpus, micro_batches, chunks) < 1:
        raise ValueError("gpus, micro-batches and chunks are positive")
    order, of_chunks, in_rounds = _ORDERS[schedule]
    if of_chunks is not None and chunks != of_chunks:
        many = "stage" if of_chunks == 1 else "stages"
        raise ValueError(f"schedule {schedule} has {of_chunks} {many} a GPU, not {chunks}")
    if in_rounds and micro_batches % max(1, micro_batches // gpus):
        raise ValueError(
            f"schedule {schedule} needs rounds of equal size: {micro_batches} micro-batches "
            f"on {gpus} GPUs have none"
        )
    return order


def _gpipe(gpus: int, micro_batches: int, chunks: int, gpu: int) -> Iterator[Action]:
    for i in range(micro_batches):
        yield Action("forward", gpu, i)
    for i in range(micro_batches):
        yield Action("backward", gpu, i)


def _one_forward_one_backward(
    gpus: int, micro_batches: int, chunks: int, gpu: int
) -> Iterator[Action]:
    """Yield forwards until the first gradient returns, then a forward and a backward in turn.

    torch's own loop has this order; its `pipeline_order`, which nothing runs, is off by one on the
    last GPU.
    """
    ahead = min(micro_batches, gpus - 1 - gpu)
    for i in range(ahead):
        yield Action("forward", gpu, i)
    for i in range(ahead, micro_batches):
        yield Action("forward", gpu, i)
        yield Action("backward", gpu, i - ahead)
    for i in range(micro_batches - ahead, micro_batches):
        yield Action("backward", gpu, i)


# The order; the stages a GPU that it takes, None for any; whether micro-batches go in equal rounds.
_ORDERS: dict[str, tuple[Order, int | None, bool]] = {
    "naive": (_gpipe, 1, False),
    "gpipe": (_gpipe, 1, False),
    "1f1b": (_one_forward_one_backward, 1, False),
    "interleaved_1f1b": (interleaved, None, True),
    "zero_bubble": (zero_bubble, None, True),
    "zbv": (zbv, 2, False),
}
