"""Seconds of every action of every kind of layer, with each size of micro-batch."""

from dataclasses import dataclass

import torch
from msgspec import structs

from mp.calibration.rounds import Slots
from mp.calibration.setting import Setting
from mp.calibration.stacks import Stack
from mp.calibration.stopwatch import Seconds, is_gpu, time_sustained, time_unthrottled
from mp.hardware.memory import release_cache
from study.results.calibration.layers import GpuTime, LayerTime, PaceName
from study.results.calibration.timing import timed

UNTHROTTLED_SHARE = 0.4  # of the time; the rest is for layers under load


@dataclass(frozen=True)
class _Chosen:
    """A kind of layer with micro-batches of one size."""

    kind: int
    rows: int
    gradients: str
    shares: int = 1


def measure_layers(setting: Setting, seconds: float) -> list[LayerTime]:
    """Return the seconds of all actions, unthrottled and launched, then under load.

    A loaded GPU stays warm and slow for a while, so all that is unthrottled is measured first.

    Args:
        setting: of the calibration.
        seconds: for all of them.
    """
    return _measure_at_all_paces(setting, _chosen(setting), seconds)


def measure_each_gpu(setting: Setting, seconds: float) -> list[GpuTime]:
    """Return the seconds of the usual layers on every rank's GPU; nothing of CPUs.

    Of all rows those in the middle. All ranks compute at once, as in a step.

    Args:
        setting: of the calibration.
        seconds: for all of them.
    """
    if not is_gpu(setting.device):
        return []
    mine = _measure_at_all_paces(setting, [_Chosen(*usual_with_middle_rows(setting))], seconds)
    return [
        GpuTime(**structs.asdict(time), rank=rank)
        for rank, its in enumerate(setting.world.all_gather(mine, list[LayerTime]))
        for time in its
        if time.pace != "host"
    ]


def usual_with_middle_rows(setting: Setting) -> tuple[int, int, str]:
    """Return the usual kind of layers, of all rows those in the middle, and a way of gradients.

    Args:
        setting: of the calibration.
    """
    pairs = [
        (rows, ways[0])
        for rows in setting.wanted.rows
        if (ways := setting.wanted.gradients_with(rows))
    ]
    return setting.usual, *pairs[len(pairs) // 2]


def _measure_at_all_paces(
    setting: Setting, chosen: list[_Chosen], seconds: float
) -> list[LayerTime]:
    found = _measure_each(setting, chosen, seconds * UNTHROTTLED_SHARE, is_loaded=False)
    if is_gpu(setting.device):
        rest = seconds * (1 - UNTHROTTLED_SHARE)
        found += _measure_each(setting, chosen, rest, is_loaded=True)
    return found


def _chosen(setting: Setting) -> list[_Chosen]:
    """Return what is measured: kinds with most layers first, then shares of layers."""
    wanted, entries = setting.wanted, [alike.entry for alike in setting.kinds]
    order = sorted(range(len(entries)), key=lambda kind: -len(entries[kind].layers))
    whole = [
        _Chosen(kind, rows, gradients)
        for kind in order
        for rows in wanted.rows
        for place, gradients in enumerate(wanted.gradients_with(rows))
        if not place or entries[kind].parameters
    ]
    split = (
        _Chosen(setting.usual, rows, "separate", shares)
        for shares in wanted.shares
        for rows in wanted.rows_of_shares
    )
    return [*whole, *split]


def _measure_each(
    setting: Setting, chosen: list[_Chosen], seconds: float, *, is_loaded: bool
) -> list[LayerTime]:
    slots, found = Slots(seconds, len(chosen)), list[LayerTime]()
    for one in chosen:
        slot_s = slots.next()
        if setting.deadline.is_over():
            setting.left_out.append(_late(setting, one, is_loaded=is_loaded))
            continue
        stack = setting.stack(one.kind, one.rows, one.gradients, one.shares)
        if stack is not None:
            found += _measure(setting, one, stack, slot_s, is_loaded=is_loaded)
        del stack
        release_cache()
    return found


def _late(setting: Setting, one: _Chosen, *, is_loaded: bool) -> str:
    how = "under load" if is_loaded else "unthrottled"
    which = setting.named(one.kind, one.rows, one.shares)
    return f"No time was left for {which}, {one.gradients}, {how}."


def _measure(
    setting: Setting, one: _Chosen, stack: Stack, seconds: float, *, is_loaded: bool
) -> list[LayerTime]:
    asked = setting.wanted.is_in_two_parts(one.rows, one.gradients)
    in_two_parts = asked and one.shares == 1
    actions = stack.actions(in_two_parts=in_two_parts)
    found: dict[PaceName, Seconds] = {}
    try:
        if is_loaded:
            if (under_load := time_sustained(actions, setting.device, seconds)) is not None:
                found["sustained"] = under_load
        else:
            found["unthrottled"], host = time_unthrottled(actions, setting.device, seconds)
            found |= {"host": host} if is_gpu(setting.device) else {}
    except torch.OutOfMemoryError:
        which = setting.named(one.kind, one.rows, one.shares)
        setting.left_out.append(f"{which} runs out of memory.")
    return [
        timed(
            LayerTime,
            [value / stack.count for value in samples],
            kind=one.kind,
            action=action,
            rows=one.rows,
            gradients=one.gradients,
            pace=pace,
            shares=one.shares,
        )
        for pace, its in found.items()
        for action, samples in its.items()
    ]
