"""Predicted peak memory of each GPU of a naive step, from the configuration and the layer map.

A step is followed layer by layer, as torch's autograd runs it: forward keeps the input of every
layer; backward frees it once the layer's gradients exist; the optimizer runs when all gradients
exist and the activations are freed.
"""

from functools import lru_cache
from typing import Any

import msgspec

from predict.memory.parts import ELEMENT_BYTES, OPTIMIZER_TEMPORARIES, Account
from study.case import Case

# Keys of a case that change no memory, with one value for all.
NEUTRAL_KEYS: dict[str, Any] = {
    "seed": 0,
    "warmup_steps": 0,
    "steps": 1,
    "time_limit_s": 1.0,
    "ci_half_width": 0.0,
    "repeat": 1,
}


def predict(case: Case, gpu_of_layer: list[int], reduction: int = 0) -> Account:
    """Return the peak of each GPU and of all together, without cuBLAS's workspace.

    Args:
        case: The configuration.
        gpu_of_layer: The GPU of each layer.
        reduction: Bytes that the kernel of a bias's gradient takes for itself. torch chooses the
            kernel by the GPU, so this is measured, not predicted.
    """
    case = msgspec.structs.replace(case, **NEUTRAL_KEYS)
    return _follow_step(case, tuple(gpu_of_layer), reduction)


@lru_cache(maxsize=64)  # the same for repeats, and for a table and its figure
def _follow_step(case: Case, gpu_of_layer: tuple[int, ...], reduction: int) -> Account:
    """Follow forward, backward and optimizer, and look at every moment that may be a peak."""
    element = ELEMENT_BYTES[case.dtype]
    layer = (case.dim**2 + case.dim) * element
    rows = case.batch_size * case.dim * element
    first, last = gpu_of_layer[0], gpu_of_layer[-1]
    sizes = [gpu_of_layer.count(gpu) * layer for gpu in range(case.gpus)]
    account = Account(case, sizes)
    account.change(first, activations=rows)  # the batch
    # The target; and the loss: torch's mse_loss keeps a buffer of the output's size. It is that of
    # the step before until the new one, and what mse_loss needs as it runs, are there too.
    account.change(last, activations=2 * rows)
    _forward(account, gpu_of_layer, rows)
    if case.execution == "eager":  # a graph's tensors lie elsewhere
        account.look(last, activations=2 * rows)
    account.look(last, activations=rows)  # the output's gradient, which then replaces it
    again = rows if case.recompute == "layers" else 0
    _backward(account, gpu_of_layer, rows, layer, reduction, again)
    extra = OPTIMIZER_TEMPORARIES[case.optimizer]
    for gpu, size in enumerate(sizes):
        account.look(gpu, temporaries=extra * size)
    # On one device, torch's foreach optimizer has all temporaries at once.
    account.look_at_all(extra * sum(sizes))
    return account


def _forward(account: Account, gpu_of_layer: tuple[int, ...], rows: int) -> None:
    for i, gpu in enumerate(gpu_of_layer):
        account.change(gpu, activations=rows)  # the output; the one before it is still there
        account.look(gpu, activations=rows if i else 0)
        if i + 1 < len(gpu_of_layer) and gpu_of_layer[i + 1] != gpu:  # it moves to the next GPU
            account.change(gpu, activations=-rows)
            account.change(gpu_of_layer[i + 1], activations=rows)


def _backward(
    account: Account,
    gpu_of_layer: tuple[int, ...],
    rows: int,
    layer: int,
    reduction: int,
    again: int,
) -> None:
    """Follow backward.

    Args:
        account: Of all GPUs.
        gpu_of_layer: The GPU of each layer.
        rows: Bytes of an activation.
        layer: Bytes of a layer's parameters.
        reduction: Bytes that the kernel of a bias's gradient takes for itself.
        again: Bytes of the ReLU's output, where the layer is run again.
    """
    for i in range(len(gpu_of_layer) - 1, -1, -1):
        gpu = gpu_of_layer[i]
        account.change(gpu, gradients=layer)
        # The gradient of its input, and the reduction of the bias's gradient.
        account.look(gpu, activations=rows + again if i else 0, temporaries=reduction)
        account.change(gpu, activations=-rows)  # its input; the gradient replaces the one before
        if i and gpu_of_layer[i - 1] != gpu:
            account.change(gpu, activations=-rows)
            account.change(gpu_of_layer[i - 1], activations=rows)
