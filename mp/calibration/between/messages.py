"""Seconds of messages between GPUs: from idle, in a row, as a relay, and both ways at once.

In a row and as a relay they are the GPUs' own time: GPUs spin until their processes have posted all
of them, which takes longer than many a message does.
"""

from functools import partial
from time import perf_counter
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.pipelining.schedules import _batch_p2p

from mp.activations import parts_of
from mp.calibration.rounds import Slots, rounds
from mp.calibration.setting import Setting
from mp.calibration.stopwatch import MOST_CYCLES, Stopwatch, cycles_per_s, is_gpu
from study.results.calibration.links import MessageTime
from study.results.calibration.timing import timed

IN_A_ROW = 8
LARGEST = {"cuda": 2**30, "cpu": 2**24}  # bytes
MOST_SIZES = 8
SMALLEST = 8  # bytes: the latency
SENDER, TAKER = 0, 1
SPARE = 2.0  # a GPU spins so many times as long as its process took to post the same before


def measure_messages(setting: Setting, nodes: int, seconds: float) -> list[MessageTime]:
    """Return the times of messages of the sizes that the model's stages pass on.

    Args:
        setting: of the calibration.
        nodes: on which the GPUs lie.
        seconds: for all of them.
    """
    ways = {"from idle": _from_idle, "in a row": _in_a_row, "relay": _relay, "exchange": _exchange}
    sizes = _sizes(setting)
    slots, found = Slots(seconds, len(ways) * len(sizes)), list[MessageTime]()
    for size in sizes:
        buffers = setting.with_room(partial(Buffers, setting, size), f"messages of {size} bytes")
        if buffers is None:
            continue
        for name, run in ways.items():
            slot_s = slots.next()
            if setting.deadline.is_over():
                setting.left_out.append(f"No time was left for messages of {size} bytes, {name}.")
                continue
            run(buffers)  # the first makes the connection, which takes long
            buffers.posting_s = 0.0
            run(buffers)
            samples = [s for _ in rounds(setting.world, slot_s) for s in run(buffers)]
            samples = setting.world.broadcast(_of_taker(setting, samples), list[float])
            found.append(timed(MessageTime, samples, way=name, bytes=size, nodes=nodes))
        del buffers  # before there are larger ones
    return found


def _of_taker(setting: Setting, samples: list[float]) -> list[float]:
    """Return the times as the receiver saw them."""
    return setting.world.all_gather(samples, list[float])[TAKER]


def _sizes(setting: Setting) -> list[int]:
    """Return the bytes of activations between layers, of all sizes of micro-batches."""
    workload, found = setting.workload(setting.wanted.gradients[0]), {SMALLEST}
    for rows in setting.wanted.rows:
        inner = workload.activations(rows)[1:-1]
        found |= {sum(part.nbytes for part in parts_of(x)) for x in inner}
    most = LARGEST[setting.device.type]
    sizes = sorted({min(size, most) for size in found})
    if len(sizes) <= MOST_SIZES:
        return sizes
    return sorted({sizes[i * (len(sizes) - 1) // (MOST_SIZES - 1)] for i in range(MOST_SIZES)})


class Buffers:
    """Messages of one size between the ranks.

    Args:
        setting: of the calibration.
        size: in bytes.

    Attributes:
        posting_s: what this process took to post the messages of the last run.
    """

    def __init__(self, setting: Setting, size: int) -> None:
        self.world, self.device = setting.world, setting.device
        self.rank, self.ranks = self.world.rank, self.world.size
        self.out, self.into = (
            torch.zeros(size, dtype=torch.uint8, device=self.device) for _ in range(2)
        )
        self.posting_s = 0.0
        self._cycles_per_s = cycles_per_s(self.device) if is_gpu(self.device) else 0.0

    @property
    def peer(self) -> int:
        """The other of the two ranks that talk, if this is one of them."""
        return TAKER if self.rank == SENDER else SENDER

    def begin(self) -> Stopwatch:
        """Wait for all ranks, and return a stopwatch."""
        self.world.devices.synchronize()
        self.world.all_reduce_max(0.0)
        return Stopwatch(self.device)

    def begin_spinning(self) -> Stopwatch:
        """Wait for all ranks, let GPUs spin while messages are posted, and return a stopwatch."""
        self.world.devices.synchronize()
        seconds = SPARE * self.world.all_reduce_max(self.posting_s)
        if cycles := min(int(self._cycles_per_s * seconds), MOST_CYCLES):
            torch.cuda._sleep(cycles)
        return Stopwatch(self.device)

    def send(self, to: int) -> list[Any]:
        """Post a message, as torch's pipelines do."""
        return _batch_p2p([dist.P2POp(dist.isend, self.out, to)])

    def receive(self, source: int) -> list[Any]:
        """Post a receive, as torch's pipelines do."""
        return _batch_p2p([dist.P2POp(dist.irecv, self.into, source)])


def most_bytes_per_s(messages: list[MessageTime]) -> float:
    """Return the most bytes per second of messages in a row.

    Args:
        messages: that were measured; a guess follows from none.
    """
    in_a_row = [m.bytes / m.seconds for m in messages if m.way == "in a row"]
    return max(in_a_row, default=1e9)


def await_all(works: Any) -> None:
    """Have the GPU, or on a CPU the host, wait for what was posted."""
    for work in works if isinstance(works, list) else [works]:
        work.wait()


def _from_idle(buffers: Buffers) -> list[float]:
    """Return half of the time there and back."""
    watch = buffers.begin()
    begun = watch.mark()
    if buffers.rank == SENDER:
        await_all(buffers.send(TAKER))
        await_all(buffers.receive(TAKER))
    elif buffers.rank == TAKER:
        await_all(buffers.receive(SENDER))
        await_all(buffers.send(SENDER))
    ended = watch.mark()
    buffers.world.devices.synchronize()
    return [watch.between(begun, ended) / 2]


def _in_a_row(buffers: Buffers) -> list[float]:
    """Return the mean time from the end of one message to that of the next."""
    watch, marks, began = buffers.begin_spinning(), list[Any](), perf_counter()
    if buffers.rank == SENDER:
        for works in [buffers.send(TAKER) for _ in range(IN_A_ROW)]:
            await_all(works)
    elif buffers.rank == TAKER:
        for works in [buffers.receive(SENDER) for _ in range(IN_A_ROW)]:
            await_all(works)
            marks.append(watch.mark())
    buffers.posting_s = perf_counter() - began
    buffers.world.devices.synchronize()
    return [watch.between(marks[0], marks[-1]) / (IN_A_ROW - 1)] if marks else []


def _relay(buffers: Buffers) -> list[float]:
    """Return the mean time of a hop: every rank receives from the one before, then sends on."""
    watch, marks, began = buffers.begin_spinning(), list[Any](), perf_counter()
    before, behind = (buffers.rank - 1) % buffers.ranks, (buffers.rank + 1) % buffers.ranks
    for _ in range(IN_A_ROW):
        if buffers.rank == SENDER:
            sent = buffers.send(behind)
            await_all(buffers.receive(before))
        else:
            await_all(buffers.receive(before))
            sent = buffers.send(behind)
        await_all(sent)
        marks.append(watch.mark())
    buffers.posting_s = perf_counter() - began
    buffers.world.devices.synchronize()
    return [watch.between(marks[0], marks[-1]) / ((IN_A_ROW - 1) * buffers.ranks)]


def _exchange(buffers: Buffers) -> list[float]:
    """Return the mean time in which a message goes each way at once."""
    watch, marks = buffers.begin(), list[Any]()
    if buffers.rank in (SENDER, TAKER):
        for _ in range(IN_A_ROW):
            both = [dist.P2POp(dist.isend, buffers.out, buffers.peer)]
            both.append(dist.P2POp(dist.irecv, buffers.into, buffers.peer))
            await_all(_batch_p2p(both))
            marks.append(watch.mark())
    buffers.world.devices.synchronize()
    return [watch.between(marks[0], marks[-1]) / (IN_A_ROW - 1)] if marks else []
