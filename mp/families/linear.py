"""The homework's model: a stack of equal linear layers."""

from collections.abc import Sequence

import msgspec
import torch
from torch import nn

from mp.activations import Activation
from mp.hardware.gemm import Product
from mp.hardware.precision import converted
from mp.model import LargeLinearModelMP, seed_of_layer
from mp.workload import Device, SplitModel, Workload, real_device
from study.case import Case
from study.schedules import SCHEDULES

DIM = 16  # of a layer of the check, or of a GPU's share of it


class LinearLayer(nn.Linear):
    """`nn.Linear(dim, dim)` of ReLU of its input; of the input itself in the first layer."""

    def __init__(self, dim: int, *, has_relu: bool) -> None:
        super().__init__(dim, dim)
        self.has_relu = has_relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (rows, dim) to (rows, dim).

        By nn.Linear's forward, whose weight gradient mp/weight_gradients.py takes over.
        """
        return super().forward(torch.relu(x) if self.has_relu else x)


class LinearStack(Workload):
    """The homework's model: `depth` linear layers with ReLU between them, and MSE loss."""

    draws_apart = True

    def small_case(self) -> Case:
        """Return the case with narrow layers, each of which every GPU can have a share of."""
        gpus = self.case.gpus if SCHEDULES[self.case.schedule].family == "tensor" else 1
        return msgspec.structs.replace(self.case, dim=DIM * gpus)

    def layer(self, number: int) -> nn.Module:
        """Make layer `number`."""
        return LinearLayer(self.case.dim, has_relu=number > 0)

    def batch(self, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw input and target, each (rows, dim)."""
        return torch.randn(rows, self.case.dim), torch.randn(rows, self.case.dim)

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of two tensors (rows, dim)."""
        return nn.functional.mse_loss(output, target)

    def split_model(self, devices: Sequence[Device]) -> SplitModel | LargeLinearModelMP:
        """Draw the homework's model itself; where layers run again, layers that have the ReLU."""
        if self.case.recompute == "layers":
            return super().split_model(devices)
        case = self.case
        model = LargeLinearModelMP(1, case.depth, devices, case.split)
        for number, gpu in enumerate(model.gpu_of_layer):  # each in place of a tiny one
            torch.manual_seed(seed_of_layer(case.seed, number))
            with real_device(devices[gpu]):
                layer = nn.Linear(case.dim, case.dim)
            model.layers[number] = converted(layer, self.dtype)
        return model

    def activations(self, rows: int) -> list[Activation]:
        """Return tensors without data, (rows, dim): all alike."""
        like = torch.empty(rows, self.case.dim, dtype=self.dtype, device="meta")
        return [like] * (self.case.depth + 1)

    def products(self) -> list[Product]:
        """Return those of a layer's forward, of its input's and of its weight's gradient."""
        rows, dim = self.case.batch_size, self.case.dim
        return [
            Product(rows, dim, dim, "right"),
            Product(rows, dim, dim, "neither"),
            Product(dim, dim, rows, "left"),
        ]
