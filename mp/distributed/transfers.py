"""What ranks send one another in one step, or reduce together, as they hand it over."""

from collections import Counter
from typing import Any

from mp.distributed.instruments import Step
from mp.distributed.pipeline import PipelineStep
from mp.distributed.step_listener import NOBODY, Marks
from mp.distributed.tensor import TensorParallelStep
from mp.distributed.world import World
from study.results.result import Collective, PairTransfers, Phase, Transfers


class _Ledger(Marks):
    """Counts tensors that are handed to other ranks, or that all ranks give their part to."""

    def __init__(self) -> None:
        self.moves: Counter[tuple[int, Phase]] = Counter()
        self.bytes: Counter[tuple[int, Phase]] = Counter()
        self.senders: set[int] = set()  # stages whose outputs left this rank
        self.meetings: Counter[tuple[str, Phase]] = Counter()
        self.met_bytes: Counter[tuple[str, Phase]] = Counter()

    def sends(self, phase: Phase, stage: int, operations: list[Any]) -> None:
        if operations and phase == "forward":
            self.senders.add(stage)
        for operation in operations:
            self.moves[operation.peer, phase] += 1
            self.bytes[operation.peer, phase] += operation.tensor.nbytes

    def meets(self, phase: Phase, operation: str, size: int) -> None:
        self.meetings[operation, phase] += 1
        self.met_bytes[operation, phase] += size


def observe_sends(step: PipelineStep, world: World) -> Transfers:
    """Train one step of a pipeline; what all ranks sent."""
    ledger = _step_under_ledger(step, world)
    mine = [
        PairTransfers(
            source=world.rank,
            target=target,
            phase=phase,
            moves=n,
            bytes=ledger.bytes[target, phase],
        )
        for (target, phase), n in sorted(ledger.moves.items())
    ]
    pairs = [pair for its_pairs in world.gather(mine, list[PairTransfers]) for pair in its_pairs]
    forward = [pair for pair in pairs if pair.phase == "forward"]
    backward = [pair for pair in pairs if pair.phase == "backward"]
    senders = {
        stage for its_stages in world.gather(ledger.senders, set[int]) for stage in its_stages
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
    """Train one step of tensor parallelism; what all ranks did together."""
    ledger = _step_under_ledger(step, world)
    together = tuple(
        Collective(
            operation=operation, phase=phase, calls=n, bytes=ledger.met_bytes[operation, phase]
        )
        for (operation, phase), n in sorted(ledger.meetings.items())
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


def _step_under_ledger(step: Step, world: World) -> _Ledger:
    ledger = _Ledger()
    step.listen(ledger)
    step()
    world.devices.synchronize()
    step.listen(NOBODY)
    return ledger
