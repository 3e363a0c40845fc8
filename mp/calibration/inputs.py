"""Inputs of layers as training has them: what the layers before make of the batch.

How much power a product draws depends on its numbers, and so does the clock of a GPU at its power
limit. Drawn numbers are the worst case: behind ten linear layers with torch's first weights all
rows of an activation are nearly the same, and products take some percent less time.
"""

from contextlib import suppress

import torch

from mp.calibration.stacks import Alike
from mp.hardware.memory import release_cache
from mp.hardware.precision import converted
from mp.profiling.alone import output_of
from mp.workload import Workload


def make_inputs(
    workload: Workload, kinds: list[Alike], rows: int, device: torch.device
) -> dict[int, torch.Tensor]:
    """Return the input of the middle layer of each kind, on the CPU, by the index of the kind.

    Kinds are missing where the layers before them do not fit the device.

    Args:
        workload: what is calibrated.
        kinds: of its layers; the loss and the first layer, which has the batch, need no input.
        rows: of the batch.
        device: where the layers run, one after another.
    """
    wanted = {alike.middle: kind for kind, alike in enumerate(kinds) if alike.middle}
    found: dict[int, torch.Tensor] = {}
    with suppress(torch.OutOfMemoryError), torch.no_grad():
        x = workload.cast(workload.draw_batch(rows, device)[0])
        for number in range(max(wanted, default=0) + 1):
            if number in wanted:
                found[wanted[number]] = x.cpu()
            if number < max(wanted, default=0):
                x = _run(workload, number, x, device)
    release_cache()
    return found


def _run(workload: Workload, number: int, x: torch.Tensor, device: torch.device) -> torch.Tensor:
    with torch.device(device):
        layer = converted(workload.draw_layer(number), workload.dtype, device)
    return output_of(workload.run_layer, layer, x)


def part_of(
    inputs: dict[int, torch.Tensor], kind: int, like: torch.Tensor, device: torch.device
) -> torch.Tensor | None:
    """Return the input of a kind with as many rows; None where there is none.

    Args:
        inputs: of all kinds.
        kind: its index.
        like: a tensor without data like the one that is wanted.
        device: where it is wanted.
    """
    found = inputs.get(kind)
    if found is None or found.shape[1:] != like.shape[1:] or len(found) < len(like):
        return None
    return found[: len(like)].to(device=device, dtype=like.dtype, copy=True)
