"""What each layer takes, for stages of equal times."""

from statistics import median

import torch
from torch import nn

from mp.distributed.world import World
from mp.hardware.precision import element_type
from mp.timing.timer import time_step
from study.case import Case

TIMES = 7


def measure_layers(case: Case, world: World) -> list[float]:
    """Seconds of one micro-batch, forward and backward, for every layer.

    All layers but the first are alike; the first has no ReLU and no gradient of its input. Measured
    by the first rank, with the others at the same work, and believed by all.
    """
    first, other = (_seconds(case, world, is_first=is_first) for is_first in (True, False))
    return world.told_by_first([first] + [other] * (case.depth - 1), list[float])


def _seconds(case: Case, world: World, *, is_first: bool) -> float:
    dtype = element_type(case)
    layer = nn.Linear(case.dim, case.dim, device=world.device, dtype=dtype)
    rows = case.batch_size // case.micro_batches
    x = torch.randn(rows, case.dim, device=world.device, dtype=dtype, requires_grad=not is_first)
    gradient = torch.randn_like(x)

    def run() -> None:
        layer(x if is_first else torch.relu(x)).backward(gradient)

    run()  # the first call chooses kernels
    return median([time_step(run, world.devices) for _ in range(TIMES)])
