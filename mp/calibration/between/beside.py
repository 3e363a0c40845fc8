"""Seconds of layers beside a transfer that NCCL has on the same GPU, and of both alone."""

from dataclasses import dataclass, field

from mp.calibration.between.messages import most_bytes_per_s
from mp.calibration.between.turns import Turns
from mp.calibration.rounds import Slots
from mp.calibration.setting import Setting
from mp.hardware.memory import release_cache
from study.results.calibration.links import BesideTime, MessageTime, TransferTime

OF_PIPELINES = 2  # sizes of micro-batches, the smallest


@dataclass(frozen=True)
class TimesBeside:
    """Layers beside transfers, and transfers beside layers."""

    layers: list[BesideTime] = field(default_factory=list)
    transfers: list[TransferTime] = field(default_factory=list)


def measure_beside(setting: Setting, messages: list[MessageTime], seconds: float) -> TimesBeside:
    """Return forward and backward of the usual layers on even ranks, which odd ones talk to.

    Args:
        setting: of the calibration.
        messages: that were measured, from which the length of a transfer follows.
        seconds: for all of them.
    """
    wanted, kind = setting.wanted, setting.usual
    sizes = wanted.rows[:OF_PIPELINES]
    slots, found = Slots(seconds, len(sizes)), TimesBeside()
    for rows in sizes:
        slot_s = slots.next()
        if setting.deadline.is_over():
            setting.left_out.append(f"No time was left for layers beside transfers, {rows} rows.")
            continue
        stack = setting.stack(kind, rows, wanted.gradients[0])
        fits = [its for its in setting.world.all_gather(stack is not None, bool) if its]
        if len(fits) < setting.world.size or stack is None or not stack.learns:
            continue
        turns = Turns(setting, stack, most_bytes_per_s(messages))
        buffers = setting.with_room(turns.make_buffers, f"transfers beside layers with {rows} rows")
        if buffers is not None:
            turns.measure(buffers, slot_s)
            found.layers.extend(turns.times_of_layers(kind))
            found.transfers.extend(turns.times_of_transfers())
        del stack, turns, buffers
        release_cache()
    return found
