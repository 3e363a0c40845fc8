"""Counts of what ranks send one another in one step, or reduce together."""

from collections import Counter
from typing import Any

from mp.distributed.listener import SILENT, StepListener
from mp.distributed.pipeline import PipelineStep
from mp.distributed.tensor import TensorParallelStep
from mp.distributed.world import World
from study.results.result import Collective, PairTransfers, Phase, Transfers


class CommunicationCounter(StepListener):
    """Counts tensors that are handed to other ranks, and collectives."""

    def __init__(self) -> None:
        self.moves: Counter[tuple[int, Phase]] = Counter()
        self.bytes: Counter[tuple[int, Phase]] = Counter()
        self.senders: set[int] = set()  # stages whose outputs left this rank
        self.calls: Counter[tuple[str, Phase]] = Counter()
        self.reduced_bytes: Counter[tuple[str, Phase]] = Counter()

    def on_send(self, phase: Phase, stage: int, operations: list[Any]) -> None:
        if operations and phase == "forward":
            self.senders.add(stage)
        for operation in operations:
            self.moves[operation.peer, phase] += 1
            self.bytes[operation.peer, phase] += operation.tensor.nbytes

    def on_collective(self, phase: Phase, operation: str, size: int) -> None:
        self.calls[operation, phase] += 1
        self.reduced_bytes[operation, phase] += size


def observe_sends(step: PipelineStep, world: World) -> Transfers:
    """Train one step of a pipeline, and count what all ranks sent."""
    counter = _count(step, world)
    mine = [
        PairTransfers(
            source=world.rank,
            target=target,
            phase=phase,
            moves=n,
            bytes=counter.bytes[target, phase],
        )
        for (target, phase), n in sorted(counter.moves.items())
    ]
    pairs = [
        pair for its_pairs in world.all_gather(mine, list[PairTransfers]) for pair in its_pairs
    ]
    forward = [pair for pair in pairs if pair.phase == "forward"]
    backward = [pair for pair in pairs if pair.phase == "backward"]
    senders = {
        stage for its_stages in world.all_gather(counter.senders, set[int]) for stage in its_stages
    }
    return Transfers(
        to_calls_per_forward=None,
        moves_forward=sum(pair.moves for pair in forward),
        moves_backward=sum(pair.moves for pair in backward),
        bytes_forward=sum(pair.bytes for pair in forward),
        bytes_backward=sum(pair.bytes for pair in backward),
        moved_before_layers=sorted(step.stages.layers(stage + 1)[0] for stage in senders),
        by_pair=pairs,
    )


def observe_collectives(step: TensorParallelStep, world: World) -> Transfers:
    """Train one step of tensor parallelism, and count its collectives."""
    counter = _count(step, world)
    together = tuple(
        Collective(
            operation=operation, phase=phase, calls=n, bytes=counter.reduced_bytes[operation, phase]
        )
        for (operation, phase), n in sorted(counter.calls.items())
    )
    return Transfers(
        to_calls_per_forward=None,
        moves_forward=0,
        moves_backward=0,
        bytes_forward=0,
        bytes_backward=0,
        moved_before_layers=[],
        by_pair=[],
        collectives=together,
    )


def _count(step: PipelineStep | TensorParallelStep, world: World) -> CommunicationCounter:
    counter = CommunicationCounter()
    step.listen(counter)
    step()
    world.devices.synchronize()
    step.listen(SILENT)
    return counter
