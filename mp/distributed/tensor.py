"""A training step with every layer split over all GPUs: torch.distributed.tensor.parallel.

Layers alternate: one split by columns, whose outputs stay where they are, then one by rows, whose
partial sums are added up by an all-reduce (Megatron-LM, Shoeybi et al. 2019).
"""

from typing import Any

import torch
from torch import nn
from torch.distributed._functional_collectives import AsyncCollectiveTensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    RowwiseParallel,
    parallelize_module,
)
from torch.utils._python_dispatch import TorchDispatchMode

from mp.distributed.stage import StageModule
from mp.distributed.step_listener import SILENT, StepListener
from mp.distributed.world import World
from mp.engine import Gradients, Tensors
from mp.families.linear import LinearLayer
from mp.sharing import Sharing
from mp.workload import Workload, make_optimizer
from study.errors import CaseError
from study.results.result import Phase

COLLECTIVES = ("all_reduce", "all_gather_into_tensor", "reduce_scatter_tensor")


class TensorParallelStep:
    """This rank's share of every layer, its optimizer, and the whole batch.

    Attributes:
        model: layers, with weights (dim / gpus, dim) where split by columns, else
            (dim, dim / gpus).
        x: the input, (batch, dim), on every rank.
        target: (batch, dim), on every rank.
        last_loss: of the step that ran last, with its autograd graph.
    """

    def __init__(self, workload: Workload, world: World) -> None:
        self.case, self.workload = workload.case, workload
        mesh = init_device_mesh(world.device.type, (world.size,))
        everywhere = dict.fromkeys(range(self.case.layers), world.device)
        shares = [
            _share(layer.to(world.device, workload.dtype), number, self.case.layers, mesh)
            for number, layer in workload.draw(everywhere, Sharing())
        ]
        self.model = StageModule(shares, workload.run_layer)
        drawn = workload.draw_batch(self.case.batch_size, world.device)
        self.x, self.target = (workload.cast(part) for part in drawn)
        self.optimizer = make_optimizer(self.case, self.model.parameters())
        self.last_loss: torch.Tensor | None = None
        self.listener = SILENT

    def __call__(self) -> None:
        """Train one step."""
        self.compute_gradients()
        self.optimizer.step()

    def forward(self) -> torch.Tensor:
        """Compute the loss; gradients of the step before are dropped first."""
        self.optimizer.zero_grad(set_to_none=True)
        self.last_loss = self.workload.loss(self.model(self.x), self.target)
        return self.last_loss

    def compute_gradients(self) -> None:
        """Run forward and backward."""
        if self.listener is SILENT:
            self.forward().backward()
            return
        with _CollectiveReporter(self.listener) as reporter:
            reporter.enter("forward")
            loss = self.forward()
            self.listener.end()
            reporter.enter("backward")
            loss.backward()
            self.listener.end()

    def listen(self, listener: StepListener) -> None:
        """Report to this listener from now on."""
        self.listener = listener

    @property
    def loss(self) -> float | None:
        """The mean over the batch in the step that ran last."""
        return None if self.last_loss is None else self.last_loss.item()

    def gradients(self) -> Gradients:
        """Return the whole gradients of each layer, put together from all ranks, on the CPU."""
        return {number: whole_gradients(layer) for number, layer in self.layers().items()}

    def layers(self) -> dict[int, nn.Module]:
        """Return this rank's share of every layer, by number."""
        return dict(enumerate(self.model))


def _share(layer: nn.Module, number: int, depth: int, mesh: DeviceMesh) -> LinearLayer:
    """Keep this rank's share of a layer.

    Outputs that are split by columns come back together after the last layer alone.
    """
    if not isinstance(layer, LinearLayer):
        raise CaseError("schedule: tensor splits linear layers alone; use a pipeline")
    style: ParallelStyle = RowwiseParallel()
    if number % 2 == 0:
        is_last = number == depth - 1
        style = ColwiseParallel(output_layouts=Replicate()) if is_last else ColwiseParallel()
    if layer.has_relu:  # in a hook, so that it comes before the input is made a DTensor
        layer.has_relu = False
        layer.register_forward_pre_hook(lambda _, args: torch.relu(args[0]))
    parallelize_module(layer, mesh, style, src_data_rank=None)
    return layer


def whole_gradients(layer: nn.Module) -> Tensors:
    """Return the gradients of a layer on the CPU, put together from all ranks that have a part."""
    found = {name: p.grad for name, p in layer.named_parameters() if p.grad is not None}
    return {
        name: (grad.full_tensor() if isinstance(grad, DTensor) else grad).cpu()
        for name, grad in found.items()
    }


class _CollectiveReporter(TorchDispatchMode):
    """Reports the collectives of forward and backward, and how long this rank waits for them."""

    def __init__(self, listener: StepListener) -> None:
        super().__init__()
        self.listener = listener

    def enter(self, phase: Phase) -> None:
        """Begin a phase."""
        self.phase = phase
        self.listener.begin(phase)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(issubclass(kind, (DTensor, AsyncCollectiveTensor)) for kind in types):
            return NotImplemented  # first let it say what its parts do
        namespace, _, operation = func.name().partition("::")
        if namespace == "_c10d_functional" and operation == "wait_tensor":
            return self._wait(func, args)
        if namespace == "_c10d_functional" and operation in COLLECTIVES:
            self.listener.on_collective(self.phase, operation, args[0].nbytes)
        return func(*args, **(kwargs or {}))

    def _wait(self, func: Any, args: Any) -> Any:
        self.listener.end()
        self.listener.begin("collective")
        done = func(*args)
        self.listener.end()
        self.listener.begin(self.phase)
        return done
