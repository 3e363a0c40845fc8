"""Memory in use on a GPU that torch's allocator does not hold."""

from typing import Literal

import torch

from mp.calibration.setting import Setting
from mp.hardware.memory import driver_used, release_cache
from study.results.calibration.layers import MemoryBesideTorch


def measure_memory(
    setting: Setting, after: Literal["layers", "messages", "collectives"]
) -> list[MemoryBesideTorch]:
    """Return that of every rank; nothing on CPUs.

    Args:
        setting: of the calibration.
        after: what all processes have done by now.
    """
    release_cache()
    device = setting.device
    setting.world.devices.synchronize()
    used = driver_used(device)
    held = torch.cuda.memory_reserved(device) if used is not None else 0
    mine = None if used is None else max(0, used - held)
    every = setting.world.all_gather(mine, int | None)
    return [
        MemoryBesideTorch(after=after, rank=rank, bytes=its)
        for rank, its in enumerate(every)
        if its is not None
    ]
