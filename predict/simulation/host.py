"""Times at which processes ask for things: they wait for no GPU until the end of a step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from predict.orders.action import Action
from predict.orders.program import Post, Program, Wait
from predict.simulation.costs import Host


@dataclass
class Asked:
    """Seconds at which a process asks for things, since the step began.

    Attributes:
        actions: when it has asked for the first kernel of each action, and for all of them.
        posts: when it has asked for each post.
        end_s: when it has asked for everything.
    """

    actions: list[tuple[float, float]] = field(default_factory=list)
    posts: list[float] = field(default_factory=list)
    end_s: float = 0.0


def when_asked(programs: Sequence[Program], host: Host) -> list[Asked]:
    """Return for each GPU when its calls are made.

    Args:
        programs: of each GPU.
        host: what calls take.
    """
    asked = [Asked() for _ in programs]
    now = [host.before_s] * len(programs)
    for gpu, call in _in_turn(programs) if host.is_shared else _one_by_one(programs):
        clock = 0 if host.is_shared else gpu
        if isinstance(call, Action):
            begun = now[clock] + host.lead(call)
            now[clock] += host.of(call) + (0.0 if asked[gpu].actions else host.first_s)
            asked[gpu].actions.append((begun, now[clock]))
        else:
            now[clock] += host.operation_s * len(call.operations)
            asked[gpu].posts.append(now[clock])
    for gpu, each in enumerate(asked):
        each.end_s = now[0 if host.is_shared else gpu] + host.after_s
    return asked


_Call = tuple[int, Action | Post]


def _one_by_one(programs: Sequence[Program]) -> Iterator[_Call]:
    for gpu, program in enumerate(programs):
        for call in program.calls:
            if not isinstance(call, Wait):
                yield gpu, call


def _in_turn(programs: Sequence[Program]) -> Iterator[_Call]:
    """Yield the calls of one process for all GPUs: forwards from the first to the last, then back.

    Calls of one GPU and one direction keep their order.
    """
    calls = list(_one_by_one(programs))
    yield from (each for each in calls if not _is_backward(each[1]))
    for gpu in reversed(range(len(programs))):
        yield from (each for each in calls if each[0] == gpu and _is_backward(each[1]))


def _is_backward(call: Action | Post) -> bool:
    if isinstance(call, Action):
        return call.kind != "forward"
    return any(operation.message.is_gradient for operation in call.operations)
