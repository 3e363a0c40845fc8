"""Callbacks by which a step reports the actions of this rank and its communication."""

from typing import Any

from study.results.measurement import SpanKind
from study.results.result import Phase


class StepListener:
    """Called for the actions of this rank, one after another; this one ignores them all."""

    def begin(
        self, kind: SpanKind, stage: int | None = None, micro_batch: int | None = None
    ) -> None:
        """Start an action.

        Args:
            kind: of the action.
            stage: the stage it is for, in a pipeline.
            micro_batch: the micro-batch it is for, in a pipeline.
        """

    def begin_wait(self, operation: str) -> None:
        """Start to wait for a collective.

        Args:
            operation: which one, e.g. `all-gather`.
        """
        self.begin("collective")

    def end(self) -> None:
        """End the action that was begun last."""

    def extend(self) -> None:
        """Move the end of the last action, which has ended, to now."""

    def on_send(self, phase: Phase, stage: int, operations: list[Any]) -> None:
        """Note tensors that are handed to other ranks.

        Args:
            phase: forward for activations, backward for their gradients.
            stage: the stage that sends.
            operations: torch's P2POp, one for each tensor.
        """

    def on_collective(self, phase: Phase, operation: str, size: int) -> None:
        """Note a collective of all ranks.

        Args:
            phase: of the step.
            operation: torch's name of it.
            size: in bytes, of each rank's tensor.
        """


SILENT = StepListener()
