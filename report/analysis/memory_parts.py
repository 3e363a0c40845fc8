"""Parts of a GPU's memory, and the sizes that predictions are made from."""

from dataclasses import dataclass

ELEMENT_BYTES = {"float32": 4, "tf32": 4, "bfloat16": 2}
# Tensors of a parameter's size that live as long as it, and that one optimizer step needs.
OPTIMIZER_STATES = {"sgd": 0, "adam": 2}
OPTIMIZER_TEMPORARIES = {"sgd": 0, "adam": 1}  # torch's foreach Adam: the denominators


@dataclass(frozen=True)
class MemoryBreakdown:
    """Bytes that one GPU holds.

    `activations` are the batch, what forward keeps for backward, the loss, and the gradients of
    these; `temporaries` are what the optimizer, or the sum over a batch's rows, holds while it
    works.
    """

    parameters: int = 0
    gradients: int = 0
    optimizer_state: int = 0
    activations: int = 0
    temporaries: int = 0

    @property
    def total(self) -> int:
        """The sum of all parts."""
        state = self.parameters + self.gradients + self.optimizer_state
        return state + self.activations + self.temporaries
