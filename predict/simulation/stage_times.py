"""Costs as arrays over the stages, for computing many GPUs at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predict.orders.action import Kind
from predict.orders.program import Message, Neighbours
from predict.simulation.costs import Costs

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StageTimes:
    """Seconds of each stage.

    Attributes:
        later: of every micro-batch but the first, by kind.
        more: by which the first takes longer, negative if it takes less, by kind.
        sent: of the message that a stage's output, or its gradient, takes; 0 to the same GPU.
    """

    later: dict[Kind, Floats]
    more: dict[Kind, Floats]
    sent: dict[bool, Floats]

    def busy_s(self, micro_batches: int) -> Floats:
        """Return the seconds that each stage computes in a step."""
        total = np.zeros_like(self.sent[False])
        for kind, later in self.later.items():
            total += micro_batches * later + self.more[kind]
        return total


def stage_times(costs: Costs, gpu_of_stage: list[int], kinds: tuple[Kind, ...]) -> StageTimes:
    """Return the costs of actions and messages of each stage.

    Args:
        costs: of them.
        gpu_of_stage: the GPU of each stage.
        kinds: of the actions that there are.
    """
    stages = range(len(gpu_of_stage))
    later = {k: np.array([costs.work[k][s].later_s for s in stages]) for k in kinds}
    first = {k: np.array([costs.work[k][s].first_s for s in stages]) for k in kinds}
    near = Neighbours(gpu_of_stage)
    sent = {
        gradient: np.array([_sent_s(Message(gradient, s, 1), near, costs) for s in stages])
        for gradient in (False, True)
    }
    return StageTimes(later, {k: first[k] - later[k] for k in kinds}, sent)


def _sent_s(message: Message, near: Neighbours, costs: Costs) -> float:
    other = message.stage + (-1 if message.is_gradient else 1)
    if near.is_here(message.stage, other):
        return 0.0
    places = near.gpu_of_stage
    return costs.message_s(message, places[message.stage], places[other])
