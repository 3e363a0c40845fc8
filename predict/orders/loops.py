"""Programs of GPipe and 1F1B, which torch runs in loops of their own."""

from collections.abc import Iterator

from predict.orders.action import Action
from predict.orders.program import Neighbours, Operation, Program


def gpipe(gpu: int, micro_batches: int, near: Neighbours) -> Program:
    """Return the program of ScheduleGPipe: a receive right before each action, a send right after.

    Args:
        gpu: also its stage.
        micro_batches: of a step.
        near: the ends of messages.
    """
    program = Program()
    for kind in ("forward", "backward"):
        sends = []
        for i in range(micro_batches):
            action = Action("forward" if kind == "forward" else "backward", gpu, i)
            program.post_and_wait(near.receive(action))
            program.compute(action)
            sends.append(program.post(near.send(action)))
        for send in sends:
            program.wait(send)
    return program


def one_forward_one_backward(gpu: int, micro_batches: int, near: Neighbours) -> Program:
    """Return the program of Schedule1F1B, which sends and receives in one post in its middle.

    Args:
        gpu: also its stage.
        micro_batches: of a step.
        near: the ends of messages.
    """
    program = Program()
    forwards = (Action("forward", gpu, i) for i in range(micro_batches))
    backwards = (Action("backward", gpu, i) for i in range(micro_batches))
    stages = len(near.gpu_of_stage)
    unsent = _warm_up(program, forwards, min(micro_batches, stages - gpu), near)
    for backward in backwards:
        program.post_and_wait(unsent, near.receive(backward))
        program.compute(backward)
        unsent = near.send(backward)
        forward = next(forwards, None)
        if forward is None:
            break
        program.post_and_wait(unsent, near.receive(forward))
        program.compute(forward)
        unsent = near.send(forward)
    sent = program.post(unsent)
    for backward in backwards:
        program.post_and_wait(near.receive(backward))
        program.compute(backward)
        program.wait(sent)
        sent = program.post(near.send(backward))
    program.wait(sent)
    return program


def _warm_up(
    program: Program, forwards: Iterator[Action], count: int, near: Neighbours
) -> Operation | None:
    """Add the forwards before the first backward; return the last one's send, not yet posted."""
    sent: int | None = None
    unsent: Operation | None = None
    for i in range(count):
        forward = next(forwards)
        program.post_and_wait(near.receive(forward))
        program.compute(forward)
        program.wait(sent)
        unsent = near.send(forward)
        if i < count - 1:
            sent = program.post(unsent)
    return unsent
