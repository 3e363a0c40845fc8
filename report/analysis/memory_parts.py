"""What a GPU holds, part by part, and how large the parts are."""

from dataclasses import dataclass

ELEMENT_BYTES = {"float32": 4, "tf32": 4, "bfloat16": 2}
# Tensors of a parameter's size that live as long as it does, and those of one optimizer step.
OPTIMIZER_STATES = {"sgd": 0, "adam": 2}
OPTIMIZER_TEMPORARIES = {"sgd": 0, "adam": 1}  # torch's foreach Adam: the denominators


@dataclass(frozen=True)
class MemoryBreakdown:
    """What one GPU holds, in bytes.

    `activations` are the batch, what forward keeps for backward, the loss, and the gradients of all
    these on their way; `temporaries` are what the optimizer, or the sum over a batch's rows, holds
    while it works.
    """

    parameters: int = 0
    gradients: int = 0
    optimizer_state: int = 0
    activations: int = 0
    temporaries: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        state = self.parameters + self.gradients + self.optimizer_state
        return state + self.activations + self.temporaries
