"""Training steps of a linear stack with torch's own classes, or torchgpipe's, and nothing of ours.

Only the data, the cut and the loss are those of our steps, so that both do the same work.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.pipelining import PipelineStage
from torch.distributed.pipelining.schedules import PipelineScheduleSingle, get_schedule_class
from torch.nn.parallel import DistributedDataParallel

Step = Callable[[], None]
Data = tuple[torch.Tensor, torch.Tensor]  # input and target, each (rows, dim)
LEARNING_RATE = 0.01


class Stack(nn.Module):
    """Linear layers with ReLU between them, some of a longer stack.

    Args:
        count: of the layers.
        dim: features of each.
        like: a tensor with their device and dtype.
        is_first: whether the stack begins here, where no ReLU is.
    """

    def __init__(self, count: int, dim: int, like: torch.Tensor, *, is_first: bool = True) -> None:
        super().__init__()
        self.is_first = is_first
        self.layers = nn.ModuleList(
            nn.Linear(dim, dim, device=like.device, dtype=like.dtype) for _ in range(count)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (rows, dim) to (rows, dim)."""
        for number, layer in enumerate(self.layers):
            x = layer(x if self.is_first and number == 0 else torch.relu(x))
        return x


def pipeline_step(
    torch_class: str, micro_batches: int, layers_of_stage: list[int], mine: list[int], data: Data
) -> Step:
    """Return this rank's step of a pipeline.

    Args:
        torch_class: the schedule's, of torch.distributed.pipelining.
        micro_batches: of a step.
        layers_of_stage: how many layers each stage has.
        mine: the stages of this rank.
        data: the whole batch.
    """
    x, target = data
    last = len(layers_of_stage) - 1
    rows = torch.empty(len(x) // micro_batches, x.shape[1], device="meta", dtype=x.dtype)
    stages = [
        PipelineStage(
            Stack(layers_of_stage[number], x.shape[1], x, is_first=number == 0),
            number,
            last + 1,
            x.device,
            input_args=(rows.clone().requires_grad_(number > 0),),
            output_args=(rows.clone().requires_grad_(),),
        )
        for number in mine
    ]
    made: Any = get_schedule_class(torch_class)
    one = issubclass(made, PipelineScheduleSingle)
    schedule = made(stages[0] if one else stages, micro_batches, loss_fn=nn.functional.mse_loss)
    optimizer = _optimizer(*(stage.submod for stage in stages))
    is_last = last in mine
    inputs = (x,) if 0 in mine else ()
    # Outputs are of no use here, and putting them together takes time; torch 2.11 has no such word
    # in every schedule.
    accepts = inspect.signature(schedule.step).parameters
    options = {"return_outputs": False} if "return_outputs" in accepts else {}

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        ends: dict[str, Any] = {"target": target, "losses": []} if is_last else {}
        schedule.step(*inputs, **ends, **options)
        optimizer.step()

    return step


def data_parallel_step(schedule: str, depth: int, data: Data, ranks: int) -> Step:
    """Return this rank's step of DDP or FSDP.

    Args:
        schedule: `ddp` or `fsdp`.
        depth: layers.
        data: this rank's part of the batch.
        ranks: how many share the batch.
    """
    x, target = data
    stack = Stack(depth, x.shape[1], x)
    model: nn.Module = stack
    if schedule == "ddp":
        model = DistributedDataParallel(stack, gradient_as_bucket_view=True)
    else:
        mesh = init_device_mesh(x.device.type, (ranks,))
        for layer in stack.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(stack, mesh=mesh)
    return _plain_step(model, x, target)


def torchgpipe_step(
    balance: list[int], dim: int, devices: list[torch.device], chunks: int, data: Data
) -> Step:
    """Return a step of torchgpipe, which has all devices in this process.

    Args:
        balance: layers of each device.
        dim: features of each layer.
        devices: one for each stage.
        chunks: micro-batches.
        data: the whole batch.

    Returns:
        The step.

    Raises:
        ImportError: it is not installed.
    """
    from torchgpipe import GPipe

    parts = (
        nn.Sequential(*([nn.ReLU()] if number else []), nn.Linear(dim, dim, dtype=data[0].dtype))
        for number in range(sum(balance))
    )
    model = GPipe(
        nn.Sequential(*parts), balance, devices=devices, chunks=chunks, checkpoint="never"
    )
    return _plain_step(model, data[0].to(devices[0]), data[1].to(devices[-1]))


def _plain_step(model: nn.Module, x: torch.Tensor, target: torch.Tensor) -> Step:
    optimizer = _optimizer(model)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.mse_loss(model(x), target).backward()
        optimizer.step()

    return step


def _optimizer(*modules: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD([p for m in modules for p in m.parameters()], lr=LEARNING_RATE)
