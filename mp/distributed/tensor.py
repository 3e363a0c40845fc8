"""A training step with every layer split over all GPUs: torch.distributed.tensor.parallel.

Layers take turns: one split by columns, whose outputs stay where they are, then one by rows, whose
partial sums are added up by an all-reduce (Megatron-LM, Shoeybi et al. 2019).
"""

import torch
from torch import nn
from torch.distributed._functional_collectives import AsyncCollectiveTensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.utils._python_dispatch import TorchDispatchMode

from mp.distributed.stages import StageModule, make_batch, make_layers
from mp.distributed.step_listener import NOBODY, Marks
from mp.distributed.world import World
from mp.hardware.precision import element_type
from mp.single.step import LEARNING_RATE, OPTIMIZERS
from study.case import Case
from study.results.result import Phase

COLLECTIVES = ("all_reduce", "all_gather_into_tensor", "reduce_scatter_tensor")


class TensorParallelStep:
    """This rank's share of every layer, its optimizer, and the whole batch."""

    def __init__(self, case: Case, world: World) -> None:
        self.case = case
        dtype = element_type(case)
        mesh = init_device_mesh(world.device.type, (world.size,))
        layers = {
            number: _share(layer.to(world.device, dtype), number, case.depth, mesh)
            for number, layer in enumerate(make_layers(case))
        }
        self.model = StageModule(layers)
        x, target = make_batch(case)
        self.x, self.target = (part.to(world.device, dtype) for part in (x, target))
        self.optimizer = OPTIMIZERS[case.optimizer](self.model.parameters(), lr=LEARNING_RATE)
        self.last_loss: torch.Tensor | None = None
        self.marks = NOBODY

    def __call__(self) -> None:
        self.compute_gradients()
        self.optimizer.step()

    def forward(self) -> torch.Tensor:
        """The loss; gradients of the step before are dropped first."""
        self.optimizer.zero_grad(set_to_none=True)
        self.last_loss = nn.functional.mse_loss(self.model(self.x), self.target)
        return self.last_loss

    def compute_gradients(self) -> None:
        """Forward and backward."""
        if self.marks is NOBODY:
            self.forward().backward()
            return
        with _Watch(self.marks) as watch:
            watch.enter("forward")
            loss = self.forward()
            self.marks.end()
            watch.enter("backward")
            loss.backward()
            self.marks.end()

    def listen(self, marks: Marks) -> None:
        """Let `marks` be told what this rank does."""
        self.marks = marks

    @property
    def loss(self) -> float | None:
        """The mean over the batch in the step that ran last."""
        return None if self.last_loss is None else self.last_loss.item()

    def gradients(self) -> dict[int, list[torch.Tensor]]:
        """Weight's and bias's gradient of each layer, put together, on the CPU."""
        return {
            number: [_whole(p.grad).cpu() for p in (layer.weight, layer.bias)]
            for number, layer in enumerate(self.model.layers)
        }


def _share(layer: nn.Linear, number: int, depth: int, mesh: DeviceMesh) -> nn.Module:
    """This rank's share of a layer; what is cut by columns comes back together after the last."""
    if number % 2:
        return parallelize_module(layer, mesh, RowwiseParallel(), src_data_rank=None)
    last = {"output_layouts": Replicate()} if number == depth - 1 else {}
    return parallelize_module(layer, mesh, ColwiseParallel(**last), src_data_rank=None)


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


class _Watch(TorchDispatchMode):
    """Tells what all ranks do together in forward and backward, and while this one waits for it."""

    def __init__(self, marks: Marks) -> None:
        super().__init__()
        self.marks = marks

    def enter(self, phase: Phase) -> None:
        """From here on it computes for this phase."""
        self.phase = phase
        self.marks.begin(phase)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if any(issubclass(kind, (DTensor, AsyncCollectiveTensor)) for kind in types):
            return NotImplemented  # first let it say what its parts do
        namespace, _, operation = func.name().partition("::")
        if namespace == "_c10d_functional" and operation == "wait_tensor":
            return self._wait(func, args)
        if namespace == "_c10d_functional" and operation in COLLECTIVES:
            self.marks.meets(self.phase, operation, args[0].nbytes)
        return func(*args, **(kwargs or {}))

    def _wait(self, func, args):
        self.marks.end()
        self.marks.begin("collective")
        done = func(*args)
        self.marks.end()
        self.marks.begin(self.phase)
        return done
