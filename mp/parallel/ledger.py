"""What a pipeline's ranks send one another in one step, as they hand it over."""

from collections import Counter
from typing import Any

from mp.parallel.pipeline import Marks, PipelineStep
from mp.parallel.world import World
from study.result import PairTransfers, Phase, Transfers


class _Ledger(Marks):
    """Counts tensors that are handed to other ranks."""

    def __init__(self) -> None:
        self.moves: Counter[tuple[int, Phase]] = Counter()
        self.bytes: Counter[tuple[int, Phase]] = Counter()
        self.senders: set[int] = set()  # stages whose outputs left this rank

    def sends(self, phase: Phase, stage: int, operations: list[Any]) -> None:
        if operations and phase == "forward":
            self.senders.add(stage)
        for operation in operations:
            self.moves[operation.peer, phase] += 1
            self.bytes[operation.peer, phase] += operation.tensor.nbytes


def observe_sends(step: PipelineStep, world: World) -> Transfers:
    """Train one step under the ledger; what all ranks sent."""
    ledger = _Ledger()
    step.listen(ledger)
    step()
    world.devices.synchronize()
    step.listen(Marks())
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
    pairs = [pair for its_pairs in world.gather(mine) for pair in its_pairs]
    forward = [pair for pair in pairs if pair.phase == "forward"]
    backward = [pair for pair in pairs if pair.phase == "backward"]
    senders = {stage for its_stages in world.gather(ledger.senders) for stage in its_stages}
    return Transfers(
        to_calls_per_forward=None,
        moves_forward=sum(pair.moves for pair in forward),
        moves_backward=sum(pair.moves for pair in backward),
        bytes_forward=sum(pair.bytes for pair in forward),
        bytes_backward=sum(pair.bytes for pair in backward),
        moved_before_layers=sorted(step.stages.layers(stage + 1)[0] for stage in senders),
        by_pair=pairs,
    )
