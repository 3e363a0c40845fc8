"""The matrix products of one layer, alone and beside a transfer of NCCL on the same GPU."""

from statistics import median
from time import perf_counter
from typing import Any

import torch
import torch.distributed as dist

from benchmarks.waits.intervals import Measured, measured
from mp.distributed.world import World
from mp.hardware.precision import element_type
from study.case import Case

LAYERS = 8  # in turn, as long as a stage's forward and backward
ALONE, PENDING = "alone", "while a receive is pending"
RECEIVING, SENDING = "while it receives", "while it sends"
MARGIN = 1.5  # a message takes so many times as long as the products
MOST = 400  # micro-batches in a message


class Products:
    """The three products of some layers of a micro-batch, and a neighbour to talk to.

    Rank 2k computes, and rank 2k + 1 is its neighbour; a last odd rank rests.

    Args:
        case: of the pipeline, whose sizes they have.
        world: all ranks.
    """

    def __init__(self, case: Case, world: World) -> None:
        rows, device = case.batch_size // case.micro_batches, world.device
        self.world = world
        self.x, self.gradient = (_random(rows, case, device) for _ in range(2))
        self.weight = _random(case.dim, case, device)
        self.message = _random(rows, case, device)  # one, since launching many takes as long
        self.rank, self.peer = world.rank, world.rank ^ 1
        self.is_here = self.peer < world.size
        self.computes = self.is_here and world.rank % 2 == 0

    def measure(self, end_s: float, least: int) -> dict[str, Measured]:
        """Return the seconds of the products beside each kind of message.

        Args:
            end_s: no round begins after this moment of the host's monotonic clock.
            least: rounds in any case.
        """
        self._lengthen_the_message()
        times: dict[str, list[float]] = {k: [] for k in (ALONE, PENDING, RECEIVING, SENDING)}
        rounds = 0
        while self.world.all_reduce_max(float(rounds < least or perf_counter() < end_s)):
            for kind, found in times.items():
                found.append(self._round(kind))
            rounds += 1
            if rounds >= 60:
                break
        return {kind: measured(found) for kind, found in times.items()}

    def _lengthen_the_message(self) -> None:
        """Make the message so long that it is on its way for longer than the products take."""
        for kind in (ALONE, RECEIVING, SENDING):
            self._round(kind)
        alone_s = median(self._round(ALONE) for _ in range(3))
        few, passed = 16, []
        self.message = self.message.repeat(few, 1)
        for _ in range(4):
            self.world.all_reduce_max(0.0)
            began = perf_counter()
            self._wait(self._post(receives=True))
            self.world.devices.synchronize()
            passed.append(self.world.all_reduce_max(perf_counter() - began) / few)
        wanted = min(MOST, 1 + int(MARGIN * alone_s / min(passed)))
        longer = 1 + int(self.world.all_reduce_max(wanted / few))  # all ranks have as long a one
        self.message = self.message.repeat(longer, 1)

    def _round(self, kind: str) -> float:
        """Time the products once; return the mean of the ranks that compute."""
        self.world.devices.synchronize()
        self.world.all_reduce_max(0.0)
        works: list[Any] = []
        if kind in (RECEIVING, SENDING):
            works = self._post(receives=kind == RECEIVING)
        elif kind == PENDING and self.computes:
            works = self._post(receives=True)
        took = self._compute() if self.computes else 0.0
        self.world.all_reduce_max(0.0)
        if kind == PENDING and not self.computes:
            works = self._post(receives=True)  # only now, so that the receive was pending
        self._wait(works)
        self.world.devices.synchronize()
        every = self.world.all_gather(took, float)
        return sum(every) / sum(its > 0 for its in every)

    def _wait(self, works: list[Any]) -> None:
        for work in works:
            work.wait()

    def _post(self, *, receives: bool) -> list[Any]:
        """Post the message to the computing rank, or from it, as this rank sees it."""
        if not self.is_here:
            return []
        takes = receives == self.computes
        operation = dist.irecv if takes else dist.isend
        return dist.batch_isend_irecv([dist.P2POp(operation, self.message, self.peer)])

    def _compute(self) -> float:
        """Return the seconds of the products, by events of the GPU where there is one."""
        on_gpu = self.world.device.type == "cuda"
        began = perf_counter()
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(2)] if on_gpu else []
        for mark in marks[:1]:
            mark.record()
        for _ in range(LAYERS):
            torch.mm(self.x, self.weight)
            torch.mm(self.gradient, self.weight.t())
            torch.mm(self.x.t(), self.gradient)
        if not on_gpu:
            return perf_counter() - began
        marks[1].record()
        marks[1].synchronize()  # and not the device: a pending receive never ends
        return float(marks[0].elapsed_time(marks[1])) / 1e3


def _random(rows: int, case: Case, device: torch.device) -> torch.Tensor:
    return torch.randn(rows, case.dim, device=device).to(element_type(case))
