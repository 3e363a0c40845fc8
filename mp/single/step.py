"""One training step: zero_grad, forward, loss, backward, optimizer step."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from mp.engine import Gradients, gradients_of
from mp.families.registry import workload_of
from mp.hardware.devices import Devices
from mp.hardware.precision import converted
from mp.model import LargeLinearModelMP
from mp.workload import SplitModel, Workload, make_optimizer
from study.case import Case


@dataclass(eq=False)
class TrainingStep:
    """A model, its optimizer and one fixed batch; calling it trains one step.

    Attributes:
        x: the input, (batch, dim), on the first GPU.
        target: (batch, dim), on the last GPU.
        last_loss: of the step that ran last, with its autograd graph.
    """

    model: SplitModel | LargeLinearModelMP
    optimizer: torch.optim.Optimizer
    loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    x: torch.Tensor
    target: torch.Tensor
    last_loss: torch.Tensor | None = None

    def __call__(self) -> None:
        """Train one step."""
        self.forward()
        self.backward()
        self.optimizer.step()

    def forward(self) -> None:
        """Compute the loss; gradients of the step before are dropped first."""
        self.optimizer.zero_grad(set_to_none=True)
        self.last_loss = self.loss_of(self.model(self.x), self.target)

    def backward(self) -> None:
        """Compute the gradients of the loss."""
        assert self.last_loss is not None
        self.last_loss.backward()

    def compute_gradients(self) -> None:
        """Run forward and backward."""
        self.forward()
        self.backward()

    @property
    def loss(self) -> float:
        """The mean over the batch in the step that ran last."""
        assert self.last_loss is not None
        return float(self.last_loss.item())

    def gradients(self) -> Gradients:
        """Return the gradients of each layer, on the CPU."""
        return {number: gradients_of(layer) for number, layer in self.layers().items()}

    def layers(self) -> dict[int, nn.Module]:
        """Return all layers, by number."""
        return dict(enumerate(self.model.layers))

    def parameters_per_gpu(self) -> list[list[nn.Parameter]]:
        """Return, for each GPU, the parameters of its layers, each once."""
        model = self.model
        return [
            list(dict.fromkeys(
                p for i, layer in enumerate(model.layers) if model.gpu_of_layer[i] == gpu
                for p in layer.parameters()
            ))
            for gpu in range(len(model.devices))
        ]  # fmt: skip


def build_step(
    case: Case, devices: Devices, make_workload: Callable[[Case], Workload] = workload_of
) -> TrainingStep:
    """Return the training step of the case, with its model and batch.

    Weights and data are drawn from the case's seed, each layer from its own, so that every split
    starts from the same numbers.

    Args:
        case: the case, of which `devices` are the GPUs.
        devices: where layers, input and target go.
        make_workload: makes what the case trains.
    """
    workload = make_workload(case)
    model = workload.split_model(devices.gpus)
    converted(model, workload.dtype)
    optimizer = make_optimizer(case, model.parameters())
    drawn = workload.draw_batch(case.batch_size, devices.real_device(0))
    x, target = (workload.cast(part) for part in drawn)
    x, target = devices.put(x, 0), devices.put(target, case.gpus - 1)
    return TrainingStep(model, optimizer, workload.loss, x, target)
