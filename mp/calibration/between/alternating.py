"""Layers and all-reduces one after the other, as tensor parallelism has them.

If a GPU draws power while it waits in a collective, it is rested less than one that only waits.
"""

from dataclasses import dataclass, field

import torch
import torch.distributed as dist

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
    mine = list[AlternatingTime]()
    pass_s = _pass_s(setting, stack)
    alternating = None if pass_s is None else _alternating(setting, stack, pass_s * _rate(messages))
    if pass_s is not None and alternating is not None:
        long_s = min(seconds, LONGEST_S[setting.device.type])
        count = min(MOST, max(FEWEST, int(long_s / 2 / (2 * pass_s))))
        found = alternating.measure(setting.world.broadcast(count, int))
        mine = [_entry(setting, alternating, found, kind, gradients)] if found else []
    stack.drop_gradients()
    del stack, alternating
    release_cache()
    return [each for its in setting.world.all_gather(mine, list[AlternatingTime]) for each in its]


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
            watch.run(stack.later_pass())
        passes = zip(*watch.seconds().values(), strict=True)
        *_, last_s = map(sum, passes)
        return last_s

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
        made.run_pass()
        return made

    return setting.with_room(make, WHAT)


def _rate(messages: list[MessageTime]) -> float:
    in_a_row = [m.bytes / m.seconds for m in messages if m.way == "in a row"]
    return max(in_a_row, default=1e9)


def _numbers(setting: Setting, size: int) -> torch.Tensor:
    """Return drawn numbers: what a GPU draws depends on them."""
    dtype = element_type(setting.case)
    return torch.rand(-(-size // dtype.itemsize), dtype=dtype, device=setting.device)


def _entry(
    setting: Setting, alternating: "_Alternating", samples: list[float], kind: int, gradients: str
) -> AlternatingTime:
    stack, buffer = alternating.stack, alternating.buffer
    return timed(
        AlternatingTime,
        [value / stack.count for value in samples],
        rank=setting.world.rank,
        kind=kind,
        layers=stack.count,
        rows=stack.rows,
        gradients=gradients,
        bytes=buffer.nbytes * alternating.waits,
        busy_share=alternating.busy_share,
    )


@dataclass
class _Alternating:
    """Passes of layers, each followed by all-reduces.

    Attributes:
        stack: the layers.
        buffer: what is reduced, to the largest of all ranks, so that numbers stay as they are.
        waits: all-reduces behind a pass.
        busy_share: the share of the time in which layers were computed.
    """

    stack: Stack
    buffer: torch.Tensor
    waits: int
    busy_share: float = field(default=1.0, init=False)

    def measure(self, count: int) -> list[float] | None:
        """Return the seconds of so many passes, after as many others.

        None where the GPU waits for its host.
        """
        watch = Stopwatch(self.stack.x.device)
        self._run(watch, count)
        watch.marks.clear()
        watch.waited_for = 0
        self._run(watch, count)
        ended = watch.mark()
        passes = watch.seconds()["pass"]
        self.busy_share = min(1.0, sum(passes) / watch.between(watch.marks[0][1], ended))
        return None if watch.waits_for_host else passes

    def run_pass(self) -> None:
        """Run forward and backward of all layers."""
        for _, action in self.stack.later_pass():
            action()

    def _run(self, watch: Stopwatch, count: int) -> None:
        for _ in range(count):
            watch.run([("pass", self.run_pass)])
            for _ in range(self.waits):
                dist.all_reduce(self.buffer, op=dist.ReduceOp.MAX)
