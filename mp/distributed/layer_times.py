"""Times of the layers, for stages of equal times."""

from statistics import median

import torch

from mp.distributed.world import World
from mp.timing.timer import time_step
from mp.workload import Workload

TIMES = 7


def measure_layers(workload: Workload, world: World) -> list[float]:
    """Return the seconds of forward and backward of one micro-batch, for every layer.

    Layers that are written alike, of inputs alike, are timed once; the first has no gradient of its
    input. Measured by the first rank, with the others at the same work, and believed by all.
    """
    case = workload.case
    activations = workload.activations(case.batch_size // case.micro_batches)
    seconds: dict[tuple[object, ...], float] = {}
    times = []
    for number, like in enumerate(activations[:-1]):
        with torch.device("meta"):
            text = repr(workload.layer(number))
        key = text, like.shape, like.dtype, number == 0
        if key not in seconds:
            seconds[key] = _seconds(workload, number, like, world)
        times.append(seconds[key])
    return world.broadcast(times, list[float])


def _seconds(workload: Workload, number: int, like: torch.Tensor, world: World) -> float:
    with torch.device(world.device):
        layer = workload.layer(number).to(workload.dtype)
        drawn = workload.batch(like.shape[0])[0] if number == 0 else torch.randn(like.shape)
    x = drawn.to(like.dtype).requires_grad_(number > 0)
    gradient = torch.randn_like(layer(x))

    def run() -> None:
        layer(x).backward(gradient)

    run()  # the first call chooses kernels
    return median([time_step(run, world.devices) for _ in range(TIMES)])
