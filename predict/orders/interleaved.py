"""Interleaved 1F1B, and ZB1P: rounds of r micro-batches, through one stage of a GPU after another.

Narayanan et al. 2021 (arXiv 2104.04473) and Qi et al. 2023 (arXiv 2401.10241), with r as torch
chooses it: the micro-batches divided by as many rounds as fill the GPUs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from predict.orders.action import Action, Kind


@dataclass(frozen=True)
class Rounds:
    """Numbers of a GPU's n-th forward and of its n-th gradient.

    Attributes:
        gpus: of the pipeline.
        micro_batches: of a step.
        chunks: stages of each GPU.
        gpu: the one that is meant.
    """

    gpus: int
    micro_batches: int
    chunks: int
    gpu: int

    @property
    def size(self) -> int:
        """The micro-batches of a round."""
        return self.micro_batches // max(1, self.micro_batches // self.gpus)

    def warm_up(self, ahead: int) -> int:
        """Return the forwards before the first gradient.

        Args:
            ahead: forwards that a GPU begins with for each GPU after it.
        """
        wanted = (self.chunks - 1) * self.size + ahead * (self.gpus - 1 - self.gpu)
        return min(wanted, self.chunks * self.micro_batches)

    def forward(self, n: int) -> Action:
        """Return the n-th forward; a round passes the GPU's stages from its first to its last."""
        chunk, micro_batch = self._place(n)
        return Action("forward", chunk * self.gpus + self.gpu, micro_batch)

    def gradient(self, kind: Kind, n: int) -> Action:
        """Return the n-th gradient of this kind; a round passes the stages from last to first."""
        chunk, micro_batch = self._place(n)
        return Action(kind, (self.chunks - 1 - chunk) * self.gpus + self.gpu, micro_batch)

    def _place(self, n: int) -> tuple[int, int]:
        rounds, within = divmod(n, self.chunks * self.size)
        chunk, i = divmod(within, self.size)
        return chunk, rounds * self.size + i


def interleaved(gpus: int, micro_batches: int, chunks: int, gpu: int) -> Iterator[Action]:
    """Yield the actions of a GPU under interleaved 1F1B.

    Args:
        gpus: of the pipeline.
        micro_batches: of a step.
        chunks: stages of each GPU.
        gpu: the one that is meant.
    """
    rounds = Rounds(gpus, micro_batches, chunks, gpu)
    count, ahead = chunks * micro_batches, rounds.warm_up(2)
    for n in range(count + ahead):
        if n < count:
            yield rounds.forward(n)
        if n >= ahead:
            yield rounds.gradient("backward", n - ahead)


def zero_bubble(gpus: int, micro_batches: int, chunks: int, gpu: int) -> Iterator[Action]:
    """Yield the actions of a GPU under ZB1P, with gradients of weights `gpu` actions behind.

    Args:
        gpus: of the pipeline.
        micro_batches: of a step.
        chunks: stages of each GPU.
        gpu: the one that is meant.
    """
    rounds = Rounds(gpus, micro_batches, chunks, gpu)
    count, ahead = chunks * micro_batches, rounds.warm_up(1)
    for n in range(count + ahead):
        if n < count:
            yield rounds.forward(n)
        if n >= ahead:
            yield rounds.gradient("input_gradient", n - ahead)
        if n - ahead >= gpu:
            yield rounds.gradient("weight_gradient", n - ahead - gpu)
    for n in range(max(0, count - gpu), count):
        yield rounds.gradient("weight_gradient", n)
