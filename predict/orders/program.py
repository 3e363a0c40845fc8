"""Programs: what a process asks of its GPU in a step, messages and waits included.

As torch.distributed.pipelining runs over NCCL: the process itself waits for nothing. A message is
posted to a queue beside the one that computes, and begins once what was asked of the GPU before it
is done; a wait holds up computing until a post is done.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from predict.orders.action import Action


class Message(NamedTuple):
    """An output that a stage on another GPU needs.

    Attributes:
        is_gradient: whether it goes to the stage before, with the gradient of what that one sent.
        stage: the one that makes it.
        micro_batch: counted from 0.
    """

    is_gradient: bool
    stage: int
    micro_batch: int


def made_by(action: Action) -> Message:
    """Return what an action makes for another stage; not asked of gradients of weights."""
    return Message(action.makes_gradient, action.stage, action.micro_batch)


def needed_by(action: Action) -> Message:
    """Return what an action needs of another stage; not asked of gradients of weights."""
    gradient = action.makes_gradient
    return Message(gradient, action.stage + (1 if gradient else -1), action.micro_batch)


class Operation(NamedTuple):
    """One end of a message.

    Attributes:
        sends: whether it is the end of the GPU that made the message.
        message: what is sent.
        peer: the GPU at the other end.
    """

    sends: bool
    message: Message
    peer: int


class Post(NamedTuple):
    """Operations that begin together, and are done together."""

    operations: tuple[Operation, ...]


class Wait(NamedTuple):
    """Later actions of this GPU begin once a post is done.

    Attributes:
        post: its number among the posts of this program.
    """

    post: int


Call = Action | Post | Wait


@dataclass
class Program:
    """The calls of one GPU, as they are added."""

    calls: list[Call] = field(default_factory=list)
    posts: int = 0

    def post(self, *operations: Operation | None) -> int | None:
        """Add a post of those operations that there are; return its number, None without any."""
        found = tuple(operation for operation in operations if operation is not None)
        if not found:
            return None
        self.calls.append(Post(found))
        self.posts += 1
        return self.posts - 1

    def wait(self, post: int | None) -> None:
        """Add a wait, where there is a post."""
        if post is not None:
            self.calls.append(Wait(post))

    def post_and_wait(self, *operations: Operation | None) -> None:
        """Add a post, and a wait for it."""
        self.wait(self.post(*operations))

    def compute(self, action: Action) -> None:
        """Add an action."""
        self.calls.append(action)


@dataclass(frozen=True)
class Neighbours:
    """The ends of a stage's messages.

    Attributes:
        gpu_of_stage: the GPU of each stage.
    """

    gpu_of_stage: list[int]

    def is_here(self, stage: int, other: int) -> bool:
        """Return whether two stages share a GPU, or the other one does not exist."""
        places = self.gpu_of_stage
        return not 0 <= other < len(places) or places[other] == places[stage]

    def send(self, action: Action) -> Operation | None:
        """Return the end with which an action's output leaves its GPU; None if it stays."""
        return self._end(action, made_by(action), -1 if action.makes_gradient else 1, sends=True)

    def receive(self, action: Action) -> Operation | None:
        """Return the end by which an action gets its input; None if no other GPU makes it."""
        return self._end(action, needed_by(action), 1 if action.makes_gradient else -1, sends=False)

    def _end(self, action: Action, message: Message, way: int, *, sends: bool) -> Operation | None:
        other = action.stage + way
        if action.kind == "weight_gradient" or self.is_here(action.stage, other):
            return None
        return Operation(sends, message, self.gpu_of_stage[other])
