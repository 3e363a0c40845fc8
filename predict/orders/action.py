"""Actions of a GPU in a pipeline, and what each of them needs."""

from typing import Literal, NamedTuple

Kind = Literal["forward", "backward", "input_gradient", "weight_gradient"]
KINDS: tuple[Kind, ...] = ("forward", "backward", "input_gradient", "weight_gradient")


class Action(NamedTuple):
    """Computation of a GPU for one stage and one micro-batch.

    Attributes:
        kind: `backward` is all gradients at once; `input_gradient` and `weight_gradient` are its
            parts.
        stage: counted from 0 along the model.
        micro_batch: counted from 0.
    """

    kind: Kind
    stage: int
    micro_batch: int

    @property
    def makes_gradient(self) -> bool:
        """True if the stage before needs what it makes."""
        return self.kind in ("backward", "input_gradient")
