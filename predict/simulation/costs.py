"""Seconds of everything that happens in a step of a pipeline, as the simulation takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from predict.orders.action import KINDS, Action, Kind
from predict.orders.program import Message

Queues = Literal["rank", "pair", "none"]


@dataclass(frozen=True)
class ActionSeconds:
    """Seconds of one kind of action of one stage, without anything beside it.

    Attributes:
        first_s: for micro-batch 0, whose gradients are not added to earlier ones.
        later_s: for every other.
    """

    first_s: float
    later_s: float

    def of(self, micro_batch: int) -> float:
        """Return the seconds for one micro-batch."""
        return self.later_s if micro_batch else self.first_s


@dataclass(frozen=True)
class Link:
    """The way from one GPU to another.

    Attributes:
        latency_s: of every message, from both ends being ready.
        bytes_per_s: of what follows.
    """

    latency_s: float = 0.0
    bytes_per_s: float = float("inf")

    def seconds(self, size: float) -> float:
        """Return how long a message of `size` bytes takes."""
        return self.latency_s + size / self.bytes_per_s


@dataclass(frozen=True, kw_only=True)
class Host:
    """Seconds that a process takes to ask for things; no GPU begins what was not asked for.

    Attributes:
        before_s: from the step's start to the first call.
        action_s: for an action, by kind and stage; a kind that is missing takes none.
        lead_s: what of that comes before the first kernel, by kind; none of a kind that is missing.
        first_s: what the first action of a process takes beyond others of its kind and stage.
        operation_s: for each send and each receive.
        after_s: for gradient scaling, collectives and the optimizer together.
        is_shared: whether one process serves all GPUs, as under the naive schedule.
    """

    before_s: float = 0.0
    action_s: Mapping[Kind, Sequence[float]] = field(default_factory=dict)
    lead_s: Mapping[Kind, float] = field(default_factory=dict)
    first_s: float = 0.0
    operation_s: float = 0.0
    after_s: float = 0.0
    is_shared: bool = False

    def of(self, action: Action) -> float:
        """Return the seconds for one action."""
        of_kind = self.action_s.get(action.kind)
        return of_kind[action.stage] if of_kind else 0.0

    def lead(self, action: Action) -> float:
        """Return the seconds of one action until its first kernel is launched."""
        return min(self.of(action), self.lead_s.get(action.kind, 0.0))


@dataclass(frozen=True)
class Ending:
    """Seconds of one GPU after its last action, in this order."""

    scaling_s: float = 0.0
    collective_s: float = 0.0
    optimizer_s: float = 0.0

    @property
    def total_s(self) -> float:
        """All of it."""
        return self.scaling_s + self.collective_s + self.optimizer_s


@dataclass(frozen=True, kw_only=True)
class Costs:
    """All seconds of a step.

    Attributes:
        work: of actions, by kind and stage.
        boundary_bytes: what stage s sends to s + 1, and gets back as a gradient.
        link: between GPUs that `links` does not name.
        links: between a source and a target.
        queues: `rank`: all posts of a GPU go one after another, as in torch 2.11; `pair`: those
            that only send or only receive have a queue for each other GPU, as in torch 2.13;
            `none`: a message leaves when it is made, and slows nothing.
        slowdown: how many times as long an action takes while posts of this GPU are under way, by
            kind; 1 of a kind that is missing. Waiting for the other end counts, too.
        host: of each process.
        endings: of each GPU; none take no time.
    """

    work: Mapping[Kind, Sequence[ActionSeconds]]
    boundary_bytes: Sequence[float] = ()
    link: Link = Link()
    links: Mapping[tuple[int, int], Link] = field(default_factory=dict)
    queues: Queues = "pair"
    slowdown: Mapping[Kind, float] = field(default_factory=dict)
    host: Host = Host()
    endings: Sequence[Ending] = ()

    def seconds(self, action: Action) -> float:
        """Return how long an action takes with nothing beside it."""
        return self.work[action.kind][action.stage].of(action.micro_batch)

    def message_s(self, message: Message, source: int, target: int) -> float:
        """Return how long a message takes once both ends are ready.

        Args:
            message: what is sent.
            source: its GPU.
            target: the GPU that needs it.
        """
        boundary = message.stage - 1 if message.is_gradient else message.stage
        size = self.boundary_bytes[boundary] if self.boundary_bytes else 0.0
        return self.links.get((source, target), self.link).seconds(size)

    def slowed(self, action: Action, posts: int) -> float:
        """Return the factor on an action while so many posts are under way."""
        return self.slowdown.get(action.kind, 1.0) if posts else 1.0

    def ending(self, gpu: int) -> Ending:
        """Return what follows the last action of a GPU."""
        return self.endings[gpu] if self.endings else Ending()


def slowed_alike(factor: float) -> dict[Kind, float]:
    """Return the same factor on every kind of action."""
    return dict.fromkeys(KINDS, factor)


def equal_stages(
    stages: int,
    forward_s: float = 1.0,
    input_gradient_s: float = 1.0,
    weight_gradient_s: float = 1.0,
) -> Costs:
    """Return the costs of stages that all take the same; a backward is both gradients.

    Messages take no time and wait for nothing; `dataclasses.replace` changes that.

    Args:
        stages: of the model.
        forward_s: of a stage and a micro-batch.
        input_gradient_s: likewise.
        weight_gradient_s: likewise.
    """
    seconds: dict[Kind, float] = {
        "forward": forward_s,
        "backward": input_gradient_s + weight_gradient_s,
        "input_gradient": input_gradient_s,
        "weight_gradient": weight_gradient_s,
    }
    work = {kind: [ActionSeconds(each, each)] * stages for kind, each in seconds.items()}
    return Costs(work=work, queues="none")
