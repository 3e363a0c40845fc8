"""What each GPU should hold at its peak, from the configuration and the layer map alone.

A step is gone through layer by layer, as torch's autograd does:
forward keeps the input of every layer; backward frees it once the layer's gradients are there;
the optimizer comes when all gradients are there and the activations are gone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from study.case import Case

ELEMENT_BYTES = {"float32": 4, "tf32": 4, "bfloat16": 2}
# Tensors of a parameter's size that live as long as it does, and those of one optimizer step.
OPTIMIZER_STATES = {"sgd": 0, "adam": 2}
OPTIMIZER_TEMPORARIES = {"sgd": 0, "adam": 1}  # torch's foreach Adam: the denominators


@dataclass(frozen=True)
class Bytes:
    """What one GPU holds, in bytes.

    `activations` are the batch, what forward keeps for backward, the loss, and the gradients of all
    these on their way; `temporaries` are what the optimizer holds while it works.
    """

    parameters: int = 0
    gradients: int = 0
    optimizer_state: int = 0
    activations: int = 0
    temporaries: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        state = self.parameters + self.gradients + self.optimizer_state
        return state + self.activations + self.temporaries


def predict_peaks(case: Case, gpu_of_layer: list[int]) -> list[Bytes]:
    """For each GPU what it holds when it holds most; without cuBLAS's workspace."""
    moments = list(_moments(case, gpu_of_layer))
    return [max((m[gpu] for m in moments), key=lambda held: held.total) for gpu in range(case.gpus)]


def predict_shared_peak(case: Case, gpu_of_layer: list[int]) -> int:
    """The peak of all GPUs together, in bytes, where one device holds what is on each of them."""
    moments = _moments(case, gpu_of_layer)
    return max(sum(held.total for held in moment) for moment in moments)


def _moments(case: Case, gpu_of_layer: list[int]) -> Iterator[list[Bytes]]:
    """What each GPU holds at every moment of a step that may be a peak."""
    element = ELEMENT_BYTES[case.dtype]
    layer = (case.dim**2 + case.dim) * element
    rows = case.batch_size * case.dim * element
    first, last = gpu_of_layer[0], gpu_of_layer[-1]
    held = [_at_rest(gpu_of_layer.count(gpu) * layer, case) for gpu in range(case.gpus)]

    def change(gpu: int, **by: int) -> None:
        values = {name: getattr(held[gpu], name) + size for name, size in by.items()}
        held[gpu] = replace(held[gpu], **values)

    def with_one_more(gpu: int, more: int = rows) -> list[Bytes]:
        """As it is, and one tensor that soon goes again."""
        return [
            replace(h, activations=h.activations + more) if g == gpu else h
            for g, h in enumerate(held)
        ]

    change(first, activations=rows)  # the batch
    change(last, activations=rows)  # its target
    change(last, activations=rows)  # the loss: torch's mse_loss keeps it in a buffer of that size
    for i, gpu in enumerate(gpu_of_layer):
        change(gpu, activations=rows)  # the output; the one before it is still there
        yield with_one_more(gpu, rows if i else 0)
        if i + 1 < case.depth and gpu_of_layer[i + 1] != gpu:  # it goes where it is used
            change(gpu, activations=-rows)
            change(gpu_of_layer[i + 1], activations=rows)
    yield with_one_more(last)  # the output's gradient, which then takes the output's place
    for i in range(case.depth - 1, -1, -1):
        gpu = gpu_of_layer[i]
        change(gpu, gradients=layer)
        yield with_one_more(gpu, rows if i else 0)  # the gradient of its input
        change(gpu, activations=-rows)  # its input; the gradients take one another's place
        if i and gpu_of_layer[i - 1] != gpu:
            change(gpu, activations=-rows)
            change(gpu_of_layer[i - 1], activations=rows)
    extra = OPTIMIZER_TEMPORARIES[case.optimizer]
    yield [replace(h, temporaries=extra * h.parameters) for h in held]


def _at_rest(parameters: int, case: Case) -> Bytes:
    states = OPTIMIZER_STATES[case.optimizer]
    return Bytes(parameters=parameters, optimizer_state=states * parameters)
