"""Layers and all-reduces one after the other, as tensor parallelism has them.

If a GPU draws power while it waits in a collective, it is rested less than one that only waits.
"""

import torch
import torch.distributed as dist

from mp.calibration.between.messages import most_bytes_per_s
from mp.calibration.layers import usual_with_middle_rows
from mp.calibration.setting import Setting
from mp.calibration.stacks import Stack
from mp.calibration.stopwatch import Stopwatch
from mp.hardware.memory import release_cache
from mp.hardware.precision import element_type
from study.results.calibration.links import AlternatingTime, MessageTime
from study.results.calibration.timing import timed

LONGEST_S = {"cuda": 1.2, "cpu": 0.05}  # in all; of the first half nothing counts
FEWEST, MOST = 3, 200  # passes that are timed
LARGEST = {"cuda": 2**28, "cpu": 2**20}  # bytes of an all-reduce; longer waits are for several
MOST_WAITS = 16  # all-reduces behind a pass
WHAT = "layers between all-reduces"


def measure_alternating(
    setting: Setting, messages: list[MessageTime], seconds: float
) -> list[AlternatingTime]:
    """Return passes of the usual layers on every rank, each followed by as long an all-reduce.

    All ranks do the same number of them, without waiting for their hosts in between. A rank whose
    GPU waits for its host has none.

    Args:
        setting: of the calibration.
        messages: that were measured, from which the bytes of an all-reduce follow.
        seconds: for all of them.
    """
    if setting.deadline.is_over():
        setting.left_out.append(f"No time was left for {WHAT}.")
        return []
    if not _connects(setting):
        return []
    kind, rows, gradients = usual_with_middle_rows(setting)
    stack = setting.stack(kind, rows, gradients)
    learns = setting.world.all_gather(stack is not None and stack.learns, bool)
    if stack is None or not all(learns):
        return []
    mine = _measure(setting, stack, most_bytes_per_s(messages), seconds)
    entries = [_entry(setting, its, kind, gradients) for its in mine]
    stack.drop_gradients()
    del stack, mine
    release_cache()
    every = setting.world.all_gather(entries, list[AlternatingTime])
    return [each for its in every for each in its]


def _measure(
    setting: Setting, stack: Stack, bytes_per_s: float, seconds: float
) -> "list[_Alternating]":
    """Return what this rank has measured; none where a rank has no memory, or the GPU waits.

    Args:
        setting: of the calibration.
        stack: the layers.
        bytes_per_s: of an all-reduce, about.
        seconds: for all passes.
    """
    pass_s = _pass_s(setting, stack)
    if pass_s is None:
        return []
    alternating = _alternating(setting, stack, pass_s * bytes_per_s)
    if alternating is None:
        return []
    long_s = min(seconds, LONGEST_S[setting.device.type])
    count = min(MOST, max(FEWEST, int(long_s / 2 / (2 * pass_s))))
    alternating.measure(setting.world.broadcast(count, int))
    return [] if alternating.waits_for_host else [alternating]


def _connects(setting: Setting) -> bool:
    """Reduce once, before there are layers: NCCL takes memory for its connection, beside torch."""
    buffer = setting.with_room(lambda: _numbers(setting, LARGEST[setting.device.type]), WHAT)
    if buffer is None:
        return False
    dist.all_reduce(buffer, op=dist.ReduceOp.MAX)
    del buffer
    release_cache()
    return True


def _pass_s(setting: Setting, stack: Stack) -> float | None:
    """Return the seconds of a pass on the slowest rank; None where one has no memory for it."""

    def time() -> float:
        watch = Stopwatch(setting.device)
        for _ in range(3):  # the first choose kernels and take memory
            watch.run([("pass", stack.run_later_pass)])
        return watch.seconds()["pass"][-1]

    mine = setting.with_room(time, WHAT)
    return None if mine is None else setting.world.all_reduce_max(mine)


def _alternating(setting: Setting, stack: Stack, wanted: float) -> "_Alternating | None":
    """Return passes with all-reduces, which have run once; None where a rank has no room for both.

    Args:
        setting: of the calibration.
        stack: the layers.
        wanted: bytes that are reduced behind a pass.
    """
    size = max(8, min(int(wanted), LARGEST[setting.device.type]))
    waits = max(1, min(MOST_WAITS, -(-int(wanted) // size)))

    def make() -> _Alternating:
        made = _Alternating(stack, _numbers(setting, size), waits)
        stack.run_later_pass()
        return made

    return setting.with_room(make, WHAT)


def _numbers(setting: Setting, size: int) -> torch.Tensor:
    """Return drawn numbers: what a GPU draws depends on them."""
    dtype = element_type(setting.case)
    return torch.rand(-(-size // dtype.itemsize), dtype=dtype, device=setting.device)


def _entry(
    setting: Setting, measured: "_Alternating", kind: int, gradients: str
) -> AlternatingTime:
    stack = measured.stack
    return timed(
        AlternatingTime,
        [value / stack.count for value in measured.passes_s],
        rank=setting.world.rank,
        kind=kind,
        layers=stack.count,
        rows=stack.rows,
        gradients=gradients,
        bytes=measured.buffer.nbytes * measured.waits,
        busy_share=measured.busy_share,
    )


class _Alternating:
    """Passes of layers, each followed by all-reduces.

    Args:
        stack: the layers.
        buffer: what is reduced, to the largest of all ranks, so that numbers stay as they are.
        waits: all-reduces behind a pass.

    Attributes:
        passes_s: seconds of each pass.
        busy_share: the share of the time in which layers were computed.
        waits_for_host: whether what was timed has waiting for launches in it.
    """

    def __init__(self, stack: Stack, buffer: torch.Tensor, waits: int) -> None:
        self.stack, self.buffer, self.waits = stack, buffer, waits
        self.passes_s: list[float] = []
        self.busy_share, self.waits_for_host = 1.0, False

    def measure(self, count: int) -> None:
        """Time so many passes, after as many others."""
        self._run(Stopwatch(self.stack.x.device), count)
        watch = Stopwatch(self.stack.x.device)
        self._run(watch, count)
        ended = watch.mark()
        self.passes_s = watch.seconds()["pass"]
        whole_s = watch.between(watch.marks[0][1], ended)
        self.busy_share = min(1.0, sum(self.passes_s) / whole_s)
        self.waits_for_host = watch.waits_for_host

    def _run(self, watch: Stopwatch, count: int) -> None:
        for _ in range(count):
            watch.run([("pass", self.stack.run_later_pass)])
            for _ in range(self.waits):
                dist.all_reduce(self.buffer, op=dist.ReduceOp.MAX)
