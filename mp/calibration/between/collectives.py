"""Seconds of the collectives of tensor and data parallelism, by the bytes of the whole tensor."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any, Literal, get_args

import torch
import torch.distributed as dist

from mp.calibration.rounds import Slots, rounds
from mp.calibration.setting import Setting
from mp.calibration.stopwatch import Stopwatch
from mp.hardware.precision import element_type
from study.results.calibration.links import CollectiveTime
from study.results.calibration.timing import timed

Operation = Literal["all_reduce", "all_gather", "reduce_scatter"]
IN_A_ROW = 6
USUAL = (2**12, 2**18, 2**22, 25 * 2**20, 2**28)  # bytes; DDP's buckets have 25 MiB
LARGEST = {"cuda": 2**29, "cpu": 2**22}
WAYS: tuple[Literal["from idle", "in a row"], ...] = ("from idle", "in a row")

_DIST: Any = dist  # torch 2.13 has new names, and warns of the old ones
GATHER = getattr(_DIST, "all_gather_single", dist.all_gather_into_tensor)
SCATTER = getattr(_DIST, "reduce_scatter_single", dist.reduce_scatter_tensor)


def measure_collectives(setting: Setting, nodes: int, seconds: float) -> list[CollectiveTime]:
    """Return the times of all operations for sizes from small to large, and those of the model.

    Args:
        setting: of the calibration.
        nodes: on which the GPUs lie.
        seconds: for all of them.
    """
    sizes = _sizes(setting)
    slots = Slots(seconds, 3 * len(WAYS) * len(sizes))
    return [time for size in sizes for time in _of_size(setting, size, nodes, slots)]


def _of_size(setting: Setting, size: int, nodes: int, slots: Slots) -> Iterator[CollectiveTime]:
    """Yield the times of all operations of one size, whose buffers go with it.

    Args:
        setting: of the calibration.
        size: in bytes, of the whole tensor.
        nodes: on which the GPUs lie.
        slots: of all collectives.
    """
    what = f"{', '.join(get_args(Operation))} of {size} bytes"
    operations = setting.with_room(partial(_operations, setting, size), what) or {}
    for (operation, run), way in product(operations.items(), WAYS):
        slot_s = slots.next()
        if setting.deadline.is_over():
            setting.left_out.append(f"No time was left for {operation} of {size} bytes.")
            continue
        yield timed(
            CollectiveTime,
            _times(setting, run, way, slot_s),
            operation=operation,
            way=way,
            gpus=setting.world.size,
            nodes=nodes,
            bytes=size,
        )


def _sizes(setting: Setting) -> list[int]:
    """Return the sizes in bytes, each a whole number of elements on every rank."""
    most = LARGEST[setting.device.type]
    usual = setting.kinds[setting.usual].entry.parameter_bytes
    step = setting.world.size * element_type(setting.case).itemsize
    return sorted({max(step, min(size, most) // step * step) for size in (*USUAL, usual)})


def _operations(setting: Setting, size: int) -> dict[Operation, Callable[[], Any]]:
    """Return what posts each collective, and returns what can be waited for.

    Args:
        setting: of the calibration.
        size: in bytes, of the whole tensor.
    """
    dtype = element_type(setting.case)
    whole = torch.zeros(size // dtype.itemsize, dtype=dtype, device=setting.device)
    part = torch.zeros(len(whole) // setting.world.size, dtype=dtype, device=setting.device)
    return {
        "all_reduce": lambda: dist.all_reduce(whole, async_op=True),
        "all_gather": lambda: GATHER(whole, part, async_op=True),
        "reduce_scatter": lambda: SCATTER(part, whole, async_op=True),
    }


def _times(setting: Setting, run: Callable[[], Any], way: str, seconds: float) -> list[float]:
    """Return the times of the slowest rank, one for each round."""
    samples, count = list[float](), 1 if way == "from idle" else IN_A_ROW
    run().wait()
    for _ in rounds(setting.world, seconds):
        setting.world.devices.synchronize()
        setting.world.all_reduce_max(0.0)
        watch = Stopwatch(setting.device)
        begun = watch.mark()
        for _ in range(count):
            run().wait()
        ended = watch.mark()
        setting.world.devices.synchronize()
        samples.append(setting.world.all_reduce_max(watch.between(begun, ended) / count))
    return samples
