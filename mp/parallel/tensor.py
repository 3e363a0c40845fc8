"""A training step with every layer split over all GPUs: torch.distributed.tensor.parallel.

Layers take turns: one split by columns, whose outputs stay where they are, then one by rows, whose
partial sums are added up by an all-reduce (Megatron-LM, Shoeybi et al. 2019).
"""

from collections import Counter

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.utils._python_dispatch import TorchDispatchMode

from mp.parallel.stages import StageModule, make_batch, make_layers
from mp.parallel.world import World
from mp.precision import element_type
from mp.step import LEARNING_RATE, OPTIMIZERS
from study.case import Case
from study.result import Collective, Phase, Transfers

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
        self.forward().backward()

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


class _Collectives(TorchDispatchMode):
    """Counts what all ranks do together, and the bytes of this rank's tensors in it."""

    def __init__(self) -> None:
        super().__init__()
        self.phase: Phase = "forward"
        self.calls: Counter[tuple[str, Phase]] = Counter()
        self.bytes: Counter[tuple[str, Phase]] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if any(issubclass(kind, DTensor) for kind in types):
            return NotImplemented  # first let it say what its parts do
        namespace, _, operation = func.name().partition("::")
        if namespace == "_c10d_functional" and operation in COLLECTIVES:
            key = (operation, self.phase)
            self.calls[key] += 1
            self.bytes[key] += args[0].nbytes
        return func(*args, **(kwargs or {}))


def observe_collectives(step: TensorParallelStep) -> Transfers:
    """Train one step and see what all ranks do together."""
    with _Collectives() as seen:
        loss = step.forward()
        seen.phase = "backward"
        loss.backward()
    together = tuple(
        Collective(operation=operation, phase=phase, calls=n, bytes=seen.bytes[operation, phase])
        for (operation, phase), n in sorted(seen.calls.items())
    )
    return Transfers(
        to_calls_per_forward=None,
        moves_forward=0,
        moves_backward=0,
        bytes_forward=0,
        bytes_backward=0,
        moved_before_layers=[],
        by_pair=[],
        collectives=together,
    )
