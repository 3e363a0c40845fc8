"""What a step tells whoever listens: what this rank does, and what it gives to the others."""

from typing import Any

from study.results.result import Phase


class Marks:
    """Told of the actions of this rank, one after another; here nobody listens."""

    def begin(self, kind: str, stage: int | None = None, micro_batch: int | None = None) -> None:
        """An action starts."""

    def end(self) -> None:
        """It has ended."""

    def go_on(self) -> None:
        """What belongs to it has ended only now."""

    def sends(self, phase: Phase, stage: int, operations: list[Any]) -> None:
        """A stage hands tensors to other ranks."""

    def meets(self, phase: Phase, operation: str, size: int) -> None:
        """All ranks do something together, each with a tensor of so many bytes."""


NOBODY = Marks()
