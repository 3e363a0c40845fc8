"""Before anything is timed: the split model must compute what the unsplit one computes."""

from collections.abc import Callable
from math import prod

import msgspec
import torch
from torch import nn

from mp.correctness import differ
from mp.distributed.instruments import Step
from mp.distributed.stages import make_batch, make_layers
from mp.distributed.world import World
from study.case import Case
from study.errors import CaseError

DIM_PER_GPU = 16  # a tensor-parallel layer is cut into as many parts as there are GPUs
ROWS_PER_MICRO_BATCH = 2

Gradients = dict[int, list[torch.Tensor]]
Shapes = dict[int, list[tuple[int, ...]]]


def check_equals_unsplit(case: Case, world: World, build: Callable[[Case], Step]) -> None:
    """One step of a small model of this depth, schedule and number of micro-batches, in float32.

    Raises:
        CaseError: on every rank, if the loss or a gradient differs from the unsplit model's.
    """
    small = msgspec.structs.replace(
        case,
        dim=DIM_PER_GPU * (case.gpus if case.schedule == "tensor" else 1),
        batch_size=ROWS_PER_MICRO_BATCH * case.micro_batches,
        dtype="float32",
        optimizer="sgd",
    )
    torch.set_float32_matmul_precision("highest")
    step = build(small)
    step.compute_gradients()
    losses = world.gather(step.loss, float | None)
    found = list(zip(losses, gather_gradients(step.gradients(), world), strict=True))
    problem = _difference(small, found) if world.rank == 0 else None
    if (problem := world.told_by_first(problem, str | None)) is not None:
        raise CaseError(f"schedule: {case.schedule}: {problem}")


def gather_gradients(mine: Gradients, world: World) -> list[Gradients]:
    """The float32 gradients of every rank, in order, on all of them."""
    shapes = {number: [tuple(part.shape) for part in parts] for number, parts in mine.items()}
    flat = [part.reshape(-1) for parts in mine.values() for part in parts]
    every = world.gather_numbers(torch.cat([torch.empty(0), *flat]))
    found = []
    for its_shapes, numbers in zip(world.gather(shapes, Shapes), every, strict=True):
        parts = iter(numbers.split([prod(s) for of_layer in its_shapes.values() for s in of_layer]))
        found.append(
            {n: [next(parts).view(s) for s in of_layer] for n, of_layer in its_shapes.items()}
        )
    return found


def _difference(case: Case, found: list[tuple[float | None, Gradients]]) -> str | None:
    """What differs from the unsplit model, in words; None where nothing does."""
    loss, expected = _unsplit(case)
    for rank, (its_loss, gradients) in enumerate(found):
        if its_loss is not None and differ(torch.tensor(its_loss), loss):
            return f"the loss is {its_loss:.6g}, the unsplit model's {loss.item():.6g}"
        for number, parts in gradients.items():
            for part, reference in zip(parts, expected[number], strict=True):
                if differ(part, reference):
                    by = (part - reference).abs().max().item()
                    return f"the gradient of layer {number} on rank {rank} differs by {by:.3g}"
    # Of a pipeline each layer is on one rank; with tensor parallelism, a share is on every one.
    held = set.intersection if case.schedule == "tensor" else set.union
    if missing := expected.keys() - held(*(set(gradients) for _, gradients in found)):
        return f"the gradients of layers {sorted(missing)} are missing"
    return None


def _unsplit(case: Case) -> tuple[torch.Tensor, Gradients]:
    """Loss and gradients of the same model in one piece, on the CPU."""
    layers = list(make_layers(case))
    x, target = make_batch(case)
    for number, layer in enumerate(layers):
        x = layer(x if number == 0 else torch.relu(x))
    loss = nn.functional.mse_loss(x, target)
    loss.backward()
    return loss.detach(), {
        number: [layer.weight.grad, layer.bias.grad] for number, layer in enumerate(layers)
    }
