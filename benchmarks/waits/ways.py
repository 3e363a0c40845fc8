"""Ways to run a pipeline's step that leave one cause of waiting out; for measurements alone.

torch's runtime is changed for a benchmark: some of these steps train wrong numbers.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch.distributed as dist
from torch.distributed.pipelining import schedules

from mp.distributed.pipeline import PipelineStep
from mp.distributed.world import World

FEWER = 16  # times fewer bytes
RECEIVES = ("RECV_F", "RECV_B")
SENDS = ("SEND_F", "SEND_B")
Posted = Literal["as torch does", "at the start", "right before use"]
Channel = tuple[int, int, str]  # source, target, phase


@dataclass(frozen=True)
class Way:
    """A way to post the messages of a step.

    Attributes:
        name: of the row.
        apart: whether each direction between two GPUs has a communicator for activations and one
            for gradients, so that no message waits behind one of another kind.
        posted: when receives are posted.
        size: of each message: whole, 1/16 of it, or none at all, which trains wrong numbers.
    """

    name: str
    apart: bool = False
    posted: Posted = "as torch does"
    size: Literal["whole", "part", "none"] = "whole"


EAGER = Way("as it is")
APART = Way("a communicator for each kind of message", apart=True)
EARLY = Way("the same, all receives at the start", apart=True, posted="at the start")
LATE = Way("the same, receives right before use", apart=True, posted="right before use")
SMALL = Way("1/16 of the bytes (wrong numbers)", size="part")
BOTH = Way("1/16 of the bytes and communicators", apart=True, size="part")
SILENT = Way("no messages (wrong numbers)", size="none")
WAYS = (EAGER, APART, EARLY, LATE, SMALL, BOTH, SILENT)


class Impossible(Exception):
    """A way that this schedule or this torch does not have; its words say why."""


class Posting:
    """The messages of a pipeline's step, posted in one of the ways.

    Args:
        step: this rank's part.
        world: all ranks.
        channels: from `make_channels`.
    """

    def __init__(self, step: PipelineStep, world: World, channels: dict[Channel, Any]) -> None:
        self.step, self.rank, self.channels = step, world.rank, channels
        self.way = EAGER
        self.as_torch = getattr(step.schedule, "pipeline_order_with_comms", None)
        for part in step.parts:
            for phase, name in (("forward", "fwd"), ("backward", "bwd")):
                self._watch(part, f"get_{name}_send_ops", phase, sends=True)
                self._watch(part, f"get_{name}_recv_ops", phase, sends=False)

    def _watch(self, part: Any, name: str, phase: str, *, sends: bool) -> None:
        """Pass what a method of the stage returns through the way that is chosen."""
        asked: Callable[[int], list[dist.P2POp]] = getattr(part, name)

        def changed(chunk: int) -> list[dist.P2POp]:
            operations = asked(chunk)  # which also lets go of what it sends
            if self.way.size == "none":
                return []
            return [self._changed(one, phase, sends=sends) for one in operations]

        setattr(part, name, changed)

    def _changed(self, one: dist.P2POp, phase: str, *, sends: bool) -> dist.P2POp:
        tensor, group = one.tensor, one.group
        if self.way.size == "part":
            flat = tensor.reshape(-1) if sends else tensor.detach().view(-1)
            tensor = flat[: max(1, len(flat) // FEWER)]
        if self.way.apart:
            ends = (self.rank, one.peer) if sends else (one.peer, self.rank)
            group = self.channels[*ends, phase]
        return dist.P2POp(one.op, tensor, one.peer, group)

    @contextmanager
    def use(self, way: Way) -> Iterator[None]:
        """Post messages in this way meanwhile.

        Raises:
            Impossible: the schedule cannot.
        """
        order = None if way.posted == "as torch does" else self._order(way.posted)
        as_torch, self.way = schedules._batch_p2p, way
        runtime: Any = schedules
        if way.apart:
            runtime._batch_p2p = _post_each
        if order is not None:
            self.step.schedule.pipeline_order_with_comms = order
        try:
            yield
        finally:
            self.way, runtime._batch_p2p = EAGER, as_torch
            if order is not None:
                self.step.schedule.pipeline_order_with_comms = self.as_torch

    def _order(self, posted: Posted) -> dict[int, list[Any]]:
        if self.as_torch is None:
            raise Impossible("this schedule has no list of actions: each receive is waited for")
        of_stage = self.step.stages.gpu_of_stage
        sent = {rank: _by_channel(its, of_stage) for rank, its in self.as_torch.items()}
        arrange = _at_the_start if posted == "at the start" else _right_before_use
        orders = {rank: arrange(its, of_stage, sent) for rank, its in self.as_torch.items()}
        for its in orders.values():
            received = _by_channel(its, of_stage, names=RECEIVES)
            for channel, keys in received.items():
                if keys != sent[channel[0]][channel]:
                    raise Impossible("messages would be received in another order than sent")
        return orders


def make_channels(world: World) -> dict[Channel, Any]:
    """Make a process group for each direction and phase between neighbours; all ranks together."""
    pairs = sorted({tuple(sorted((r, (r + 1) % world.size))) for r in range(world.size)})
    return {
        (source, target, phase): dist.new_group([low, high])
        for low, high in pairs
        for source, target in ((low, high), (high, low))
        for phase in ("forward", "backward")
    }


def _post_each(operations: list[dist.P2POp], desc: str | None = None) -> list[Any]:
    """Post each operation by itself, in the group that it names."""
    return [work for one in operations for work in dist.batch_isend_irecv([one])]


def _name(action: Any) -> str:
    return str(action.computation_type.name)


def _key(action: Any) -> tuple[str, int, int]:
    """Return phase, sending stage and micro-batch of a message, alike on both sides."""
    kind, stage = _name(action), action.stage_index
    forward = kind.endswith("_F")
    sender = stage if kind in SENDS else stage - 1 if forward else stage + 1
    return "forward" if forward else "backward", sender, action.microbatch_index


def _channel(action: Any, of_stage: list[int]) -> Channel:
    phase, sender, _ = _key(action)
    taker = sender + (1 if phase == "forward" else -1)
    return of_stage[sender], of_stage[taker], phase


def _by_channel(
    actions: list[Any], of_stage: list[int], names: tuple[str, ...] = SENDS
) -> dict[Channel, list[tuple[str, int, int]]]:
    """Return the messages of each channel in the order in which a rank posts them."""
    found = defaultdict[Channel, list[tuple[str, int, int]]](list)
    for action in actions:
        if _name(action) in names:
            found[_channel(action, of_stage)].append(_key(action))
    return found


def _at_the_start(actions: list[Any], of_stage: list[int], sent: dict[int, Any]) -> list[Any]:
    """Put all receives first, those of one channel as their sender sends them."""
    receives = [action for action in actions if _name(action) in RECEIVES]

    def place(action: Any) -> int:
        channel = _channel(action, of_stage)
        return int(sent[channel[0]][channel].index(_key(action)))

    rest = [action for action in actions if _name(action) not in RECEIVES]
    return [*sorted(receives, key=place), *rest]


def _right_before_use(actions: list[Any], of_stage: list[int], sent: dict[int, Any]) -> list[Any]:
    """Put each receive right before the action that needs its data."""
    waiting = {
        (_name(action)[-1], action.stage_index, action.microbatch_index): action
        for action in actions
        if _name(action) in RECEIVES
    }
    order: list[Any] = []
    for action in (each for each in actions if _name(each) not in RECEIVES):
        for one in getattr(action, "sub_actions", None) or (action,):
            direction = {"FORWARD": "F", "FULL_BACKWARD": "B", "BACKWARD_INPUT": "B"}
            key = direction.get(_name(one), ""), one.stage_index, one.microbatch_index
            if key in waiting:
                order.append(waiting.pop(key))
        order.append(action)
    return order
