"""Checks of a case: the split must compute what the unsplit model computes."""

from math import prod

import msgspec
import torch

from mp.engine import Communicator, Engine, Gradients, S, gradients_of
from mp.hardware.devices import Devices
from mp.placement import boundaries
from mp.workload import Workload
from study.case import Case
from study.errors import CaseError
from study.results.result import Placement, Transfers
from study.schedules import SCHEDULES

ROWS = 4  # of a micro-batch
# float32; several GPUs of one kind agree to the last bit, a GPU and a CPU do not.
TOLERANCE = 1e-4  # of the largest number of a tensor: gradients of deep models are tiny
# Below this, which the gradients of a hundred layers reach, float32 has few digits or none.
LEAST = torch.finfo(torch.float32).tiny
Shapes = dict[int, list[tuple[int, ...]]]  # of a layer's parameters, by layer


def check_possible(case: Case, devices: Devices) -> None:
    """Refuse what these devices cannot do at all.

    Raises:
        CaseError: TF32 without a CUDA GPU, or a CUDA graph without one that is not shared.
    """
    on_cuda = devices.real[0].type == "cuda"
    if case.dtype == "tf32" and not on_cuda:
        raise CaseError("dtype: tf32 exists on CUDA GPUs only; use float32 or bfloat16")
    if case.execution == "cuda_graph" and (devices.emulated or not on_cuda):
        raise CaseError("execution: cuda_graph exists on one real CUDA GPU only; use eager")


def check_equals_unsplit(engine: Engine[S]) -> None:
    """Compare loss and gradients of a small model, of this depth and split, with the unsplit one.

    Raises:
        CaseError: on every rank, if they differ.
    """
    case = _small_case(engine.workload)
    torch.set_float32_matmul_precision("highest")
    step = engine.build(case)
    step.compute_gradients()
    losses = engine.world.all_gather(step.loss, float | None)
    gradients = _gather_gradients(step.gradients(), engine.world)
    problem = None
    if engine.world.rank == 0:
        expected = _compute_unsplit(engine.make_workload(case))
        problem = _find_difference(case, losses, gradients, *expected)
    if (problem := engine.world.broadcast(problem, str | None)) is not None:
        raise CaseError(f"schedule: {case.schedule}: {problem}")


def _small_case(workload: Workload) -> Case:
    """Return the case with layers and micro-batches as small as its schedule allows."""
    case = workload.small_case()
    return msgspec.structs.replace(
        case, batch_size=ROWS * case.micro_batches, dtype="float32", optimizer="sgd"
    )


def _compute_unsplit(workload: Workload) -> tuple[torch.Tensor, Gradients]:
    """Return loss and gradients of the same layers in one piece, on the CPU."""
    layers = list(workload.layers())
    x, target = workload.batch(workload.case.batch_size)
    for layer in layers:
        x = layer(x)
    loss = workload.loss(x, target)
    loss.backward()
    return loss.detach(), {number: gradients_of(layer) for number, layer in enumerate(layers)}


def _find_difference(
    case: Case,
    losses: list[float | None],
    gradients: list[Gradients],
    loss: torch.Tensor,
    expected: Gradients,
) -> str | None:
    """Return in words what differs from the unsplit model; None where nothing does."""
    for rank, (its_loss, its_gradients) in enumerate(zip(losses, gradients, strict=True)):
        if its_loss is not None and differ(torch.tensor(its_loss), loss):
            return f"the loss is {its_loss:.6g}; it differs from the unsplit model's, {loss:.6g}"
        for number, parts in its_gradients.items():
            where = f"the gradient of layer {number} on rank {rank}"
            if len(parts) != len(expected[number]):
                return f"{where} is missing"
            for part, reference in zip(parts, expected[number], strict=True):
                if differ(part, reference):
                    by = (part - reference).abs().max().item()
                    return f"{where} differs from the unsplit model's by {by:.3g}"
    # With tensor parallelism every rank has a share of each layer; else one rank has all of it.
    held = set.intersection if SCHEDULES[case.schedule].family == "tensor" else set.union
    if missing := expected.keys() - held(*(set(its_gradients) for its_gradients in gradients)):
        return f"the gradients of layers {sorted(missing)} are missing"
    return None


def differ(ours: torch.Tensor, reference: torch.Tensor) -> bool:
    """Return whether a number is off by more than rounding explains; NaN always is."""
    allowed = max(TOLERANCE * reference.abs().max().item(), LEAST)
    return not (ours - reference).abs().max().item() <= allowed


def _gather_gradients(mine: Gradients, world: Communicator) -> list[Gradients]:
    """Return the float32 gradients of every rank, in order, on all of them."""
    shapes = {number: [tuple(part.shape) for part in parts] for number, parts in mine.items()}
    flat = [part.reshape(-1) for parts in mine.values() for part in parts]
    every = world.all_gather_numbers(torch.cat([torch.empty(0), *flat]))
    found = []
    for its_shapes, numbers in zip(world.all_gather(shapes, Shapes), every, strict=True):
        parts = iter(numbers.split([prod(s) for of_layer in its_shapes.values() for s in of_layer]))
        found.append(
            {n: [next(parts).view(s) for s in of_layer] for n, of_layer in its_shapes.items()}
        )
    return found


def check_moves(placement: Placement, seen: Transfers) -> None:
    """Compare where data moved with where the placement changes GPU.

    Several real GPUs refuse to compute on another's data; logical ones, sharing memory, would not.

    Raises:
        CaseError: a move is missing, or there is one too many.
    """
    expected = boundaries(placement.gpu_of_layer)
    if seen.moved_before_layers != expected:
        raise CaseError(
            f"data moved before layers {seen.moved_before_layers}, but the layer map changes GPU "
            f"before layers {expected}"
        )
