"""Parts of a GPU's memory, and the sizes that predictions are made from."""

from dataclasses import astuple, dataclass
from functools import cached_property

from study.case import Case

ELEMENT_BYTES = {"float32": 4, "tf32": 4, "bfloat16": 2}
# Tensors of a parameter's size that live as long as it, and that one optimizer step needs.
OPTIMIZER_STATES = {"sgd": 0, "adam": 2}
OPTIMIZER_TEMPORARIES = {"sgd": 0, "adam": 1}  # torch's foreach Adam: the denominators


@dataclass(frozen=True)
class MemoryBreakdown:
    """Bytes that one GPU holds.

    `activations` are the batch, what forward keeps for backward, the loss, and the gradients of
    these; `temporaries` are what the optimizer, or the sum over a batch's rows, holds while it
    works; `collectives` are layers that FSDP has put together, their whole gradients, and what
    collectives read and write.
    """

    parameters: int = 0
    gradients: int = 0
    optimizer_state: int = 0
    activations: int = 0
    temporaries: int = 0
    collectives: int = 0

    @property
    def total(self) -> int:
        """The sum of all parts."""
        return sum(astuple(self))


class Account:
    """Bytes that each GPU holds as a step goes on, and the most it held.

    Args:
        case: The configuration.
        parameters: Bytes of each GPU's parameters.
        trained: Bytes of those that are trained; None if all are.
    """

    def __init__(self, case: Case, parameters: list[int], trained: list[int] | None = None) -> None:
        self.parameters = parameters
        self.states = [
            OPTIMIZER_STATES[case.optimizer] * size
            for size in (parameters if trained is None else trained)
        ]
        self.gradients = [0] * len(parameters)
        self.activations = [0] * len(parameters)
        self.collectives = [0] * len(parameters)
        # At the peak: the sum of these and of temporaries, then each of them.
        self.most = [(0, 0, 0, 0, 0)] * len(parameters)
        self.now = self.shared_most = 0

    def change(
        self, gpu: int, *, gradients: int = 0, activations: int = 0, collectives: int = 0
    ) -> None:
        """Add bytes that stay until they are subtracted.

        Args:
            gpu: Where.
            gradients: Bytes of gradients.
            activations: Bytes of activations.
            collectives: Bytes of what collectives read and write.
        """
        self.gradients[gpu] += gradients
        self.activations[gpu] += activations
        self.collectives[gpu] += collectives
        self.now += gradients + activations + collectives

    def look(self, gpu: int, *, activations: int = 0, temporaries: int = 0) -> None:
        """Record what this GPU holds, with short-lived bytes, if it is its most.

        Args:
            gpu: Where.
            activations: Short-lived bytes of activations.
            temporaries: Short-lived bytes of other kinds.
        """
        gradients, kept = self.gradients[gpu], self.activations[gpu] + activations
        collectives = self.collectives[gpu]
        here = gradients + kept + temporaries + collectives
        if here > self.most[gpu][0]:
            self.most[gpu] = (here, gradients, kept, temporaries, collectives)
        self.look_at_all(activations + temporaries)

    def look_at_all(self, more: int) -> None:
        """Record what all GPUs hold together, with short-lived bytes, if it is the most."""
        self.shared_most = max(self.shared_most, self.now + more)

    @cached_property
    def peaks(self) -> list[MemoryBreakdown]:
        """The parts of each GPU at its peak."""
        return [
            MemoryBreakdown(held, gradients, states, activations, temporaries, collectives)
            for held, states, (_, gradients, activations, temporaries, collectives) in zip(
                self.parameters, self.states, self.most, strict=True
            )
        ]

    @property
    def shared_peak(self) -> int:
        """The most bytes that all GPUs held together."""
        return sum(self.parameters) + sum(self.states) + self.shared_most
