"""Layers beside each kind of transfer in turn, on GPUs that talk in pairs, and each alone."""

from collections import defaultdict
from statistics import median
from time import perf_counter
from typing import Any, Literal

import torch
import torch.distributed as dist

from mp.calibration.between.messages import Buffers, await_all
from mp.calibration.rounds import rounds
from mp.calibration.setting import Setting
from mp.calibration.stacks import Stack
from mp.calibration.stopwatch import Seconds, Stopwatch, is_gpu
from study.results.calibration.links import BesideTime, TransferTime
from study.results.calibration.timing import timed

Beside = Literal["nothing", "pending receive", "receive", "send", "all_reduce"]
Direction = Literal["receive", "send"]
BESIDES: tuple[Beside, ...] = ("nothing", "pending receive", "receive", "send", "all_reduce")
DIRECTIONS: tuple[Direction, ...] = ("receive", "send")
# A transfer takes so many times as long as the layers and the spinning before them, so that it
# outlasts them: beside one, layers took 1.65 times as long on H200s, and large messages may have
# more bytes per second than those of the model.
MARGIN = 2.5
LARGEST = 2**28  # bytes of a message; longer transfers are several, one after another
ON_A_CPU = 2**24  # bytes of a transfer
SPIN_CYCLES = 2_000_000  # about 1 ms
SPARE = 2.0  # a GPU spins so many times as long as the host launches the layers
MOST = 64  # messages of one transfer
# On H200s quartiles lay within 7 % of the median then, those of a pending receive within 0.5 %.
MOST_ROUNDS = 30


class Turns:
    """Layers on even ranks, beside each kind of transfer in turn; a last odd rank rests.

    Args:
        setting: of the calibration.
        stack: the layers.
        bytes_per_s: of a transfer.

    Attributes:
        of_layers: seconds of all layers, by what was beside them and the action.
        of_transfers: seconds of what was beside them.
        alone: the same of a transfer beside which nothing is computed.
        spin_s: for which a GPU spins before its layers.
    """

    def __init__(self, setting: Setting, stack: Stack, bytes_per_s: float) -> None:
        self.setting, self.world, self.stack = setting, setting.world, stack
        self.peer = self.world.rank ^ 1
        self.is_here = self.peer < self.world.size
        self.computes = self.is_here and self.world.rank % 2 == 0
        self.of_layers: dict[tuple[Beside, str], list[float]] = defaultdict(list)
        self.of_transfers: dict[Beside, list[float]] = defaultdict(list)
        self.alone: dict[Direction, list[float]] = defaultdict(list)
        self.cycles, self.spin_s = self._spinning()
        alone_s = sum(sum(its) for its in self._compute().values())
        long_s = alone_s + self.spin_s
        wanted = int(self.world.all_reduce_max(MARGIN * long_s * bytes_per_s))
        wanted = max(8, min(wanted, MOST * LARGEST if is_gpu(setting.device) else ON_A_CPU))
        self.size, self.count = min(wanted, LARGEST), -(-wanted // LARGEST)

    def make_buffers(self) -> Buffers:
        """Return the buffers of a transfer; the layers, which ran without, must fit beside them.

        Raises:
            OutOfMemoryError: they do not.
        """
        buffers = Buffers(self.setting, self.size)
        if self.computes:
            self._compute()
        return buffers

    def measure(self, buffers: Buffers, seconds: float) -> None:
        """Take turns, as the first rank sees them.

        Args:
            buffers: what is transferred.
            seconds: after which no round begins.
        """
        self.buffers = buffers
        for beside in BESIDES:  # the first of each kind makes its connection
            self._turn(beside)
        for _ in rounds(self.world, seconds, MOST_ROUNDS):
            for beside in BESIDES:
                took, transfer_s = self._turn(beside)
                for action, samples in took.items():
                    self.of_layers[beside, action] += samples
                self.of_transfers[beside].append(transfer_s)
            for direction in DIRECTIONS:
                self.alone[direction].append(self._turn(direction, with_layers=False)[1])

    def times_of_layers(self, kind: int) -> list[BesideTime]:
        """Return the seconds of a layer, by what was beside it and the action.

        Args:
            kind: the index of theirs.
        """
        count = self.stack.count
        return [
            timed(BesideTime, [value / count for value in samples], beside=beside, action=action,
                  kind=kind, rows=self.stack.rows, layers=count)
            for (beside, action), samples in self.of_layers.items()
        ]  # fmt: skip

    def times_of_transfers(self) -> list[TransferTime]:
        """Return the seconds of transfers with layers beside them, and alone.

        Not of one that takes less time alone than the layers: it may have ended before them, and
        what a turn takes then is theirs.
        """
        found = []
        for direction in DIRECTIONS:
            its = [
                samples for (beside, _), samples in self.of_layers.items() if beside == direction
            ]
            layers_s = median(map(sum, zip(*its, strict=True)))
            if median(self.alone[direction]) < layers_s + self.spin_s:
                continue
            for samples, beside_s in ((self.of_transfers[direction], layers_s),
                                      (self.alone[direction], 0.0)):  # fmt: skip
                found.append(
                    timed(TransferTime, samples, direction=direction, rows=self.stack.rows,
                          bytes=self.size * self.count, layers_s=beside_s)
                )  # fmt: skip
        return found

    def _turn(self, beside: Beside, *, with_layers: bool = True) -> tuple[Seconds, float]:
        """Take one turn; return the times of the first rank, of layers and of all it waited for.

        Args:
            beside: what is transferred.
            with_layers: whether ranks compute that do so.
        """
        self.world.devices.synchronize()
        self.world.all_reduce_max(0.0)
        watch = Stopwatch(self.setting.device)
        begun, works = watch.mark(), self._post(beside)
        took = self._compute() if self.computes and with_layers else {}
        self.world.all_reduce_max(0.0)
        if beside == "pending receive" and not self.computes:
            works = self._transfer("receive", 1)  # only now, so that the receive was pending
        for each in works:
            await_all(each)
        ended = watch.mark()
        self.world.devices.synchronize()
        seen = took, watch.between(begun, ended)
        return self.world.all_gather(seen, tuple[Seconds, float])[0]

    def _post(self, beside: Beside) -> list[Any]:
        if beside == "all_reduce":
            return [dist.all_reduce(self.buffers.out, async_op=True) for _ in range(self.count)]
        if beside in ("receive", "send"):
            return self._transfer(beside, self.count)
        is_pending = beside == "pending receive" and self.computes
        return self._transfer("receive", 1) if is_pending else []

    def _transfer(self, beside: str, count: int) -> list[Any]:
        """Post messages to the rank that computes, or from it, as this rank sees it.

        Args:
            beside: receive or send, of the rank that computes.
            count: how many, one after another.
        """
        if not self.is_here:
            return []
        takes = (beside == "receive") == self.computes
        post = self.buffers.receive if takes else self.buffers.send
        return [post(self.peer) for _ in range(count)]

    def _spinning(self) -> tuple[int, float]:
        """Return the cycles, and the seconds, for which GPUs spin while hosts launch the layers."""
        for _ in range(2):  # the first choose kernels and take memory
            watch, before = Stopwatch(self.setting.device), perf_counter()
            watch.run(self.stack.later_pass())
            launched_s = perf_counter() - before
            watch.seconds()  # wait for them
        if not watch.on_gpu:
            return 0, 0.0
        begun = watch.mark()
        torch.cuda._sleep(SPIN_CYCLES)
        ended = watch.mark()
        ended.synchronize()
        one_s = watch.between(begun, ended)
        seconds = self.world.all_reduce_max(max(one_s, SPARE * launched_s))
        return int(SPIN_CYCLES * seconds / one_s), seconds

    def _compute(self) -> Seconds:
        """Run forward and backward; wait for these alone, since a pending receive never ends."""
        watch = Stopwatch(self.setting.device)
        if watch.on_gpu:
            torch.cuda._sleep(self.cycles)
        watch.run(self.stack.later_pass())
        if watch.on_gpu:
            watch.marks[-1][2].synchronize()
        return {
            name: [watch.between(begun, ended)]
            for name, begun, ended in watch.marks
            if name is not None
        }
