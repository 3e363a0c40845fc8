"""Inputs of layers as training has them: what the layers before make of the batch.

How much power a product draws depends on its numbers, and so does the clock of a GPU at its power
limit. Drawn numbers are the worst case: behind some linear layers with torch's first weights all
rows of an activation are nearly the same, and products take some percent less time. So layers of
one kind differ by their place, and rows come from several places.
"""

from contextlib import suppress
from itertools import pairwise

import torch

from mp.calibration.stacks import Alike
from mp.hardware.memory import release_cache
from mp.hardware.precision import converted
from mp.profiling.alone import output_of
from mp.workload import Workload

PLACES = 8  # of one kind of layer, at the most


def make_inputs(
    workload: Workload, kinds: list[Alike], rows: int, device: torch.device
) -> dict[int, list[torch.Tensor]]:
    """Return inputs of some layers of each kind, on the CPU, by the index of the kind.

    Of each as many rows as it has in a mixture of all. Kinds are missing where a layer before one
    of theirs does not fit the device.

    Args:
        workload: what is calibrated.
        kinds: of its layers; the loss and the first layer, which has the batch, need no input.
        rows: of the batch.
        device: where the layers run, one after another.
    """
    places = {kind: _spread(its.entry.layers) for kind, its in enumerate(kinds) if its.number}
    wanted = {number: kind for kind, numbers in places.items() for number in numbers}
    found: dict[int, list[torch.Tensor]] = {}
    with suppress(torch.OutOfMemoryError), torch.no_grad():
        x = workload.cast(workload.draw_batch(rows, device)[0])
        for number in range(max(wanted, default=0) + 1):
            if number in wanted:
                kind = wanted[number]
                share = -(-rows // len(places[kind]))
                found.setdefault(kind, []).append(x[:share].to("cpu", copy=True))
            if number < max(wanted, default=0):
                x = _run(workload, number, x, device)
    release_cache()
    return {kind: its for kind, its in found.items() if len(its) == len(places[kind])}


def _spread(layers: tuple[int, ...]) -> list[int]:
    """Return some of these numbers, equally far from one another, the first and the last too."""
    last, count = len(layers) - 1, min(PLACES, len(layers))
    return [layers[place * last // max(1, count - 1)] for place in range(count)]


def _run(workload: Workload, number: int, x: torch.Tensor, device: torch.device) -> torch.Tensor:
    with torch.device(device):
        layer = converted(workload.draw_layer(number), workload.dtype, device)
    return output_of(workload.run_layer, layer, x)


def part_of(
    inputs: dict[int, list[torch.Tensor]], kind: int, like: torch.Tensor, device: torch.device
) -> torch.Tensor | None:
    """Return a mixture of the inputs of a kind with as many rows; None where there is none.

    Args:
        inputs: of all kinds.
        kind: its index.
        like: a tensor without data like the one that is wanted.
        device: where it is wanted.
    """
    places = inputs.get(kind)
    if not places:
        return None
    pairs = list(zip(places, _shares(len(like), len(places)), strict=True))
    if any(x.shape[1:] != like.shape[1:] or len(x) < size for x, size in pairs):
        return None
    return torch.cat([x[:size] for x, size in pairs]).to(device=device, dtype=like.dtype)


def _shares(rows: int, places: int) -> list[int]:
    """Return the rows of each place, as equal as they can be; few rows are of those in the middle.

    One row is of the place in the middle, two are of those at a quarter and at three quarters.
    """
    ends = [(2 * rows * n + places) // (2 * places) for n in range(places + 1)]
    return [end - begin for begin, end in pairwise(ends)]
