"""Differences between the split and the unsplit model, in words that name layer and rank."""

from math import prod

import torch

from mp.correctness.unsplit import Unsplit
from mp.engine import Communicator, Gradients
from study.case import Case
from study.schedules import SCHEDULES
from study.stages import replica_of

# float32; several GPUs of one kind agree to the last bit, products cut in other ways do not.
TOLERANCE = 1e-4  # of the largest number of a tensor: gradients of deep models are tiny
# Below this, which the gradients of a hundred layers reach, float32 has few digits or none.
LEAST = torch.finfo(torch.float32).tiny
Shapes = dict[int, dict[str, tuple[int, ...]]]  # by layer and name


def differ(ours: torch.Tensor, reference: torch.Tensor) -> bool:
    """Return whether a number is off by more than rounding explains; NaN always is."""
    return not difference(ours, reference) <= max(TOLERANCE * largest(reference), LEAST)


def difference(ours: torch.Tensor, reference: torch.Tensor) -> float:
    """Return by how much two tensors differ at most."""
    return largest(ours - reference)


def largest(tensor: torch.Tensor) -> float:
    """Return the largest absolute value; 0 of a tensor without numbers."""
    return tensor.abs().max().item() if tensor.numel() else 0.0


def gather_tensors(mine: Gradients, world: Communicator) -> list[Gradients]:
    """Return the float32 tensors of every rank, in order, on all of them."""
    shapes: Shapes = {
        number: {name: tuple(part.shape) for name, part in parts.items()}
        for number, parts in mine.items()
    }
    flat = [part.reshape(-1) for parts in mine.values() for part in parts.values()]
    every = world.all_gather_numbers(torch.cat([torch.empty(0), *flat]))
    found = []
    for its_shapes, numbers in zip(world.all_gather(shapes, Shapes), every, strict=True):
        sizes = [prod(shape) for layer in its_shapes.values() for shape in layer.values()]
        parts = iter(numbers.split(sizes))
        found.append(
            {
                number: {name: next(parts).view(shape) for name, shape in layer.items()}
                for number, layer in its_shapes.items()
            }
        )
    return found


def find_difference(
    case: Case,
    losses: list[float | None],
    gradients: list[Gradients],
    buffers: list[Gradients],
    expected: Unsplit,
) -> str | None:
    """Return in words what differs from the unsplit model; None where nothing does.

    Args:
        case: that was compared.
        losses: of every rank.
        gradients: of every rank.
        buffers: of every rank, after the step.
        expected: the unsplit model.
    """
    loss = expected.loss
    for its_loss in losses:
        if its_loss is not None and differ(torch.tensor(its_loss), loss):
            return f"the loss is {its_loss:.6g}; it differs from the unsplit model's, {loss:.6g}"
    missing = expected.gradients.keys() - _held(case, gradients)
    if missing:
        names = ", ".join(expected.names[number] for number in sorted(missing))
        return f"the gradients of {names} are missing: no rank has the layer"
    for what, found, known_of_replicas in (
        ("gradient", gradients, [expected.gradients]),
        ("buffer", buffers, expected.buffers),
    ):
        for rank, layers in enumerate(found):
            known = known_of_replicas[replica_of(case, rank) % len(known_of_replicas)]
            on_rank = f" on rank {rank}" if len(found) > 1 else ""
            for number, parts in layers.items():
                where = f"the {what} of {expected.names[number]}"
                if (problem := _compare(where, on_rank, parts, known[number])) is not None:
                    return problem
    return None


def _held(case: Case, gradients: list[Gradients]) -> set[int]:
    """Return the layers that are there, one and all.

    Where layers are on all GPUs, every rank has each; else every replica has all of it.
    """
    is_on_each = SCHEDULES[case.schedule].is_on_all_gpus
    held: dict[int, set[int]] = {}
    for rank, its_gradients in enumerate(gradients):
        held.setdefault(rank if is_on_each else replica_of(case, rank), set()).update(its_gradients)
    return set.intersection(*held.values())


def _compare(
    where: str, on_rank: str, parts: dict[str, torch.Tensor], known: dict[str, torch.Tensor]
) -> str | None:
    """Compare the tensors of one layer by name."""
    for name, reference in known.items():
        if name not in parts:
            return f"{where}: {name}{on_rank} is missing"
        if parts[name].shape != reference.shape:
            return f"{where}: {name}{on_rank} has another shape than the unsplit model's"
        if differ(parts[name], reference):
            by = difference(parts[name], reference)
            return (
                f"{where}: {name}{on_rank} differs from the unsplit model's by {by:.3g}, where its "
                f"largest number is {largest(reference):.3g}"
            )
    if extra := parts.keys() - known.keys():
        return f"{where}: {min(extra)}{on_rank} is there; the unsplit model has none"
    return None
