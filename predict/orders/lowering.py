"""Programs of the schedules that torch's runtime runs: when each message is sent and received.

torch (2.11 to 2.13) adds the actions of FSDP to each order, UNSHARD, RESHARD and REDUCE_GRAD, even
where nothing is sharded. Then it takes one action of each GPU in turn, round after round, and puts
a receive into the other GPU's program where it puts the send. The added actions do nothing, but
they shift who is taken when, and with it the order of receives. `_fillers` counts them.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence

from predict.orders.action import Action
from predict.orders.loops import gpipe, one_forward_one_backward
from predict.orders.order import orders
from predict.orders.program import Message, Neighbours, Operation, Program
from study.schedules import SCHEDULES

_HELD = 3  # stages for which torch makes room at a time
_LOOPS: dict[str, Callable[[int, int, Neighbours], Program]] = {
    "naive": gpipe,
    "gpipe": gpipe,
    "1f1b": one_forward_one_backward,
}
_Lowered = list[Action | Operation]


def programs(schedule: str, gpus: int, micro_batches: int, chunks: int = 1) -> list[Program]:
    """Return the program of each GPU.

    Args:
        schedule: its name in study/schedules.py.
        gpus: those of one replica.
        micro_batches: of one replica; 1 under the naive schedule.
        chunks: stages of each GPU.

    Raises:
        ValueError: if the schedule has no order, or none for these numbers.
    """
    near = Neighbours(SCHEDULES[schedule].gpu_of_stage(gpus, chunks))
    made = orders(schedule, gpus, micro_batches, chunks)
    if loop := _LOOPS.get(schedule):
        return [loop(gpu, micro_batches, near) for gpu in range(gpus)]
    return [_program(lowered, near) for lowered in lower(made, micro_batches, near)]


def lower(
    made: Sequence[Sequence[Action]], micro_batches: int, near: Neighbours
) -> list[list[Action | Operation]]:
    """Return each GPU's actions with its sends and receives, where torch puts them.

    Args:
        made: the order of each GPU.
        micro_batches: of a step.
        near: the ends of messages.

    Raises:
        ValueError: if the orders wait for one another.
    """
    waiting = [deque(_with_fillers(order, micro_batches)) for order in made]
    lowered: list[_Lowered] = [[] for _ in made]
    arrived: list[set[Message]] = [set() for _ in made]
    while any(waiting):
        before = sum(map(len, waiting))
        for gpu, actions in enumerate(waiting):
            if actions and _is_ready(actions[0], near, arrived[gpu]):
                _take(actions.popleft(), gpu, near, lowered, arrived)
        if sum(map(len, waiting)) == before:
            raise ValueError("the orders of the GPUs wait for one another")
    return lowered


def _is_ready(action: Action | None, near: Neighbours, arrived: set[Message]) -> bool:
    """Return whether the input of an action is there; a filler needs none.

    What this GPU makes itself needs no look: in every order of torch's it comes before.
    """
    if action is None:
        return True
    received = near.receive(action)
    return received is None or received.message in arrived


def _take(
    action: Action | None,
    gpu: int,
    near: Neighbours,
    lowered: list[_Lowered],
    arrived: list[set[Message]],
) -> None:
    """Add an action and its send to one program, and the receive to another."""
    if action is None:
        return
    lowered[gpu].append(action)
    if send := near.send(action):
        lowered[gpu].append(send)
        lowered[send.peer].append(Operation(False, send.message, gpu))
        arrived[send.peer].add(send.message)


def _with_fillers(order: Sequence[Action], micro_batches: int) -> list[Action | None]:
    """Return an order with None where torch has an action that does nothing."""
    found: list[Action | None] = []
    done: Counter[int] = Counter()
    for action, fillers in zip(order, _fillers(order), strict=True):
        found += [None] * fillers + [action]
        if action.kind in ("backward", "weight_gradient"):
            done[action.stage] += 1
            if done[action.stage] == micro_batches:
                found.append(None)  # REDUCE_GRAD
    return found


def _fillers(order: Sequence[Action]) -> list[int]:
    """Return how many UNSHARD and RESHARD torch puts before each action."""
    counts = []
    held: set[int] = set()
    coming: list[set[int]] = []
    later: list[int] = []  # the next stages that are used, each once, the nearest first
    for action in reversed(order):
        later = [action.stage, *(stage for stage in later if stage != action.stage)]
        coming.append(set(later[:_HELD]))
    for wanted in reversed(coming):
        counts.append(len(wanted - held) + len(held - wanted))
        held = wanted
    return counts


def _program(lowered: _Lowered, near: Neighbours) -> Program:
    program = Program()
    receives: dict[Message, int | None] = {}
    sends = []
    for each in lowered:
        if isinstance(each, Action):
            if received := near.receive(each):
                program.wait(receives.pop(received.message))
            program.compute(each)
        elif each.sends:
            sends.append(program.post(each))
        else:
            receives[each.message] = program.post(each)
    for send in reversed(sends):
        program.wait(send)
    return program
