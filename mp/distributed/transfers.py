"""Counts of what ranks send one another in one step, or reduce together."""

from collections import Counter
from typing import Any

import msgspec

from mp.distributed.data.step import DataParallelStep
from mp.distributed.pipeline import PipelineStep
from mp.distributed.step_listener import SILENT, StepListener
from mp.distributed.tensor import TensorParallelStep
from mp.distributed.world import World
from mp.engine import sum_transfers
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
        """Count the tensors that a stage sends."""
        if operations and phase == "forward":
            self.senders.add(stage)
        for operation in operations:
            self.moves[operation.peer, phase] += 1
            self.bytes[operation.peer, phase] += operation.tensor.nbytes

    def on_collective(self, phase: Phase, operation: str, size: int) -> None:
        """Count a collective."""
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
    pairs = [pair for its in world.all_gather(mine, list[PairTransfers]) for pair in its]
    senders = {stage for its in world.all_gather(counter.senders, set[int]) for stage in its}
    moved = sorted(step.stages.layers(stage + 1)[0] for stage in senders)
    every = world.all_gather(_collectives(counter), tuple[Collective, ...])
    together = CommunicationCounter()  # each is counted on one rank
    for one in (one for its in every for one in its):
        together.calls[one.operation, one.phase] += one.calls
        together.reduced_bytes[one.operation, one.phase] += one.bytes
    return msgspec.structs.replace(sum_transfers(pairs, moved), collectives=_collectives(together))


def observe_collectives(step: TensorParallelStep | DataParallelStep, world: World) -> Transfers:
    """Train one step without stages, and count its collectives."""
    return msgspec.structs.replace(
        sum_transfers([], []), collectives=_collectives(_count(step, world))
    )


def _collectives(counter: CommunicationCounter) -> tuple[Collective, ...]:
    return tuple(
        Collective(
            operation=operation, phase=phase, calls=n, bytes=counter.reduced_bytes[operation, phase]
        )
        for (operation, phase), n in sorted(counter.calls.items())
    )


def _count(
    step: PipelineStep | TensorParallelStep | DataParallelStep, world: World
) -> CommunicationCounter:
    counter = CommunicationCounter()
    if isinstance(step, DataParallelStep):
        step.count(counter)
        world.devices.synchronize()
        return counter
    step.listen(counter)
    step()
    world.devices.synchronize()
    step.listen(SILENT)
    return counter
