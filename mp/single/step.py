"""One training step: zero_grad, forward, MSE loss, backward, optimizer step."""

import torch
from torch import nn

from mp.hardware.devices import Devices
from mp.hardware.precision import element_type
from mp.model import LargeLinearModelMP
from study.case import Case

LEARNING_RATE = 0.01
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


class TrainingStep:
    """A model, its optimizer and one fixed batch; calling it trains one step."""

    def __init__(self, model, optimizer, x, target):
        self.model = model
        self.optimizer = optimizer
        self.x = x
        self.target = target

    def __call__(self):
        self.forward()
        self.backward()
        self.optimizer.step()

    def forward(self):
        """Compute the loss; gradients of the step before are dropped first."""
        self.optimizer.zero_grad(set_to_none=True)
        self.loss = nn.functional.mse_loss(self.model(self.x), self.target)

    def backward(self):
        """Compute the gradients of the loss."""
        self.loss.backward()

    def parameters_per_gpu(self):
        """For each GPU the parameters of its layers."""
        model = self.model
        return [
            [p for i, layer in enumerate(model.layers) if model.gpu_of_layer[i] == gpu
             for p in layer.parameters()]
            for gpu in range(len(model.devices))
        ]  # fmt: skip


def build_step(case: Case, devices: Devices) -> TrainingStep:
    """The case's model and batch.

    Weights and data are drawn on the CPU from the case's seed, layer by layer, so that every
    split and every device starts from the same numbers.
    """
    torch.manual_seed(case.seed)
    dtype = element_type(case)
    model = LargeLinearModelMP(case.dim, case.depth, devices.gpus, case.split).to(dtype)
    optimizer = OPTIMIZERS[case.optimizer](model.parameters(), lr=LEARNING_RATE)
    if case.execution == "cuda_graph" and case.optimizer == "adam":
        optimizer.param_groups[0]["capturable"] = True  # its step count must live on the GPU
    x = torch.randn(case.batch_size, case.dim).to(dtype)
    target = torch.randn(case.batch_size, case.dim).to(dtype)
    return TrainingStep(model, optimizer, devices.put(x, 0), devices.put(target, case.gpus - 1))
