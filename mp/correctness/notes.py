"""Differences of training from that of the whole batch in one piece: sentences for the report."""

from collections.abc import Iterable

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from mp.activations import Activation, each_part, outputs_of, parts_of
from mp.correctness.differences import differ, difference, largest
from mp.correctness.dropout import without_dropout
from mp.correctness.unsplit import Unsplit
from mp.workload import Workload
from study.case import Case

RANDOM = "The model draws random numbers outside of nn.Dropout"
DROPOUT = "The gradients were checked with dropout switched off; training has it on."


def tell_of_random_numbers(notes: Iterable[str]) -> bool:
    """Return whether one of these notes says that training draws random numbers."""
    return any(note == DROPOUT or note.startswith(RANDOM) for note in notes)


def find_random(unsplit: Unsplit) -> str | None:
    """Return the name of the first layer that draws random numbers, dropout aside; None if none.

    The layers run forward twice, from two seeds and with the same buffers.
    """
    layers, rows = unsplit.layers, unsplit.outputs[0][0]
    buffers = [buffer for layer in layers for buffer in layer.buffers()]
    before = [buffer.clone() for buffer in buffers]
    runs = []
    with torch.no_grad(), without_dropout(layers):
        for seed in (1, 2):
            for buffer, kept in zip(buffers, before, strict=True):
                buffer.copy_(kept)
            torch.manual_seed(seed)
            runs.append(outputs_of(layers, rows, unsplit.names))
    for name, first, second in zip(unsplit.names, runs[0][1:], runs[1][1:], strict=True):
        if outputs_differ(first, second):
            return name
    return None


def note_random(name: str) -> str:
    """Say that a model cannot be compared."""
    return f"{RANDOM} (first in {name}); gradients were not compared."


def note_frozen(unsplit: Unsplit) -> str | None:
    """Say what a pipeline does with layers that are frozen from the start; None without any.

    torch's zero bubble drops gradients of a stage whose input requires none, so inputs of all
    stages but the first require one here.
    """
    frozen = 0
    for layer in unsplit.layers:
        if any(parameter.requires_grad for parameter in layer.parameters()):
            break
        frozen += 1
    if not any(list(layer.parameters()) for layer in unsplit.layers[:frozen]):
        return None
    names = (
        f"{unsplit.names[0]} is"
        if frozen == 1
        else (f"{unsplit.names[0]} to {unsplit.names[frozen - 1]} are")
    )
    return (
        f"{names} frozen: a stage that has only frozen layers before it still passes gradients "
        "back, which one GPU leaves out."
    )


def note_whole_batch(
    case: Case, workload: Workload, whole: Unsplit, unsplit: Unsplit
) -> str | None:
    """Say why micro-batches have other gradients than the whole batch; None where they have not.

    Rounding, which depends on the rows of a product, is no reason: close to ReLU's corner it can
    turn a gradient upside down.

    Args:
        case: as it is trained.
        workload: of the small case that was compared.
        whole: the unsplit model, given the whole batch.
        unsplit: the same, given the micro-batches.

    Returns:
        One sentence, or None.
    """
    worst = max(
        (
            difference(part, reference) / largest(reference)
            for number, parts in whole.gradients.items()
            for name, reference in parts.items()
            if (part := unsplit.gradients[number].get(name)) is not None and differ(part, reference)
        ),
        default=None,
    )
    if worst is None:
        return None
    rows = case.batch_size // case.parts
    mixing = next(
        (
            (name, layer)
            for number, (name, layer) in enumerate(zip(whole.names, whole.layers, strict=True))
            if _mixes_rows(number, whole, unsplit)
        ),
        None,
    )
    if mixing is None and _averages_rows(workload, whole.outputs[0][-1], len(unsplit.outputs)):
        return None
    if mixing is None:
        return (
            "The loss is no mean over the rows, e.g. because it ignores some tokens: gradients "
            f"differ by up to {worst:.2g} of the largest from those of the whole batch."
        )
    if any(isinstance(module, _BatchNorm) for module in mixing[1].modules()):
        return (
            f"BatchNorm normalises {rows} rows at a time instead of {case.batch_size}: not the "
            "training of one GPU."
        )
    return (
        f"{mixing[0]} mixes the rows of a batch, and has {rows} at a time instead of "
        f"{case.batch_size}: not the training of one GPU."
    )


def _mixes_rows(number: int, whole: Unsplit, unsplit: Unsplit) -> bool:
    """Return whether a layer's output for some rows depends on the others."""
    of_batch = parts_of(whole.outputs[0][number + 1])
    of_parts = zip(*(parts_of(outputs[number + 1]) for outputs in unsplit.outputs), strict=True)
    return any(
        differ(torch.cat(parts).float(), reference.float())
        for parts, reference in zip(of_parts, of_batch, strict=True)
    )


def _averages_rows(workload: Workload, output: Activation, parts: int) -> bool:
    """Return whether the loss has equal gradients on a batch and, on average, on parts of it."""
    device = parts_of(output)[0].device
    _, target = workload.draw_batch(workload.case.batch_size, device)
    rows = zip(*(tensor.chunk(parts) for tensor in parts_of(output)), strict=True)
    pieces = [part if isinstance(output, tuple) else part[0] for part in rows]
    of_batch = _loss_gradients(workload, output, target)
    of_parts = zip(
        *map(_loss_gradients, [workload] * parts, pieces, target.chunk(parts)), strict=True
    )
    return not any(
        differ(torch.cat(found) / parts, reference)
        for found, reference in zip(of_parts, of_batch, strict=True)
    )


def _loss_gradients(
    workload: Workload, output: Activation, target: torch.Tensor
) -> list[torch.Tensor]:
    """Return the gradient of the loss for each tensor of the last layer's output."""
    leaves = each_part(output, lambda x: x.detach().requires_grad_(x.is_floating_point()))
    tensors = [part for part in parts_of(leaves) if part.requires_grad]
    given = each_part(leaves, torch.clone)  # a loss may change it in place, which a leaf forbids
    found = torch.autograd.grad(workload.loss(given, target), tensors, allow_unused=True)
    return [
        torch.zeros_like(part) if gradient is None else gradient
        for part, gradient in zip(tensors, found, strict=True)
    ]


def outputs_differ(first: Activation, second: Activation) -> bool:
    """Return whether two outputs of one layer differ by more than rounding explains."""
    if len(parts_of(first)) != len(parts_of(second)):
        return True
    return any(
        a.shape != b.shape or differ(a.float(), b.float())
        for a, b in zip(parts_of(first), parts_of(second), strict=True)
    )
