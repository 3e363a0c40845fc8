"""Times of the layers, for stages of equal times."""

from statistics import median

import torch

from mp.activations import Activation, each_part, parts_of, shape_of
from mp.distributed.world import World
from mp.hardware.precision import converted
from mp.timing.timer import time_step
from mp.workload import Workload

TIMES = 7


def measure_layers(workload: Workload, world: World) -> list[float]:
    """Return the seconds of forward and backward of one micro-batch, for every layer.

    Layers that are written alike, of inputs alike, are timed once; the first has no gradient of its
    input. Measured by the first rank, with the others at the same work, and believed by all.
    """
    case = workload.case
    activations = workload.activations(case.batch_size // case.parts)
    seconds: dict[tuple[object, ...], float] = {}
    times = []
    for number, like in enumerate(activations[:-1]):
        with torch.device("meta"):
            text = repr(workload.layer(number))
        key = text, str(shape_of(like)), number == 0
        if key not in seconds:
            seconds[key] = _seconds(workload, number, like, world)
        times.append(seconds[key])
    return world.broadcast(times, list[float])


def _seconds(workload: Workload, number: int, like: Activation, world: World) -> float:
    with torch.device(world.device):
        layer = converted(workload.layer(number), workload.dtype)
        rows = parts_of(like)[0].shape[0]
        x = workload.cast(workload.batch(rows)[0]) if number == 0 else each_part(like, _drawn)
    outputs = [part for part in parts_of(workload.run_layer(layer, x)) if part.requires_grad]
    gradients = [torch.randn_like(part) for part in outputs]

    def run() -> None:
        outputs = [part for part in parts_of(workload.run_layer(layer, x)) if part.requires_grad]
        torch.autograd.backward(outputs, gradients)

    run()  # the first call chooses kernels
    return median([time_step(run, world.devices) for _ in range(TIMES)])


def _drawn(like: torch.Tensor) -> torch.Tensor:
    """Draw numbers, with a gradient where there is one; integers are zeros."""
    if not like.is_floating_point():
        return torch.zeros(like.shape, dtype=like.dtype)
    return torch.randn(like.shape, dtype=like.dtype, requires_grad=True)
