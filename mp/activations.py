"""Activations, which pass between layers: one tensor, or a tuple of tensors, with rows first."""

from collections.abc import Callable, Iterable

import torch
from torch import nn

from study.errors import CaseError

Activation = torch.Tensor | tuple[torch.Tensor, ...]
Shape = list[tuple[tuple[int, ...], str]]  # and the dtype, of every tensor


def parts_of(x: Activation) -> tuple[torch.Tensor, ...]:
    """Return the tensors of what passes between two layers."""
    return x if isinstance(x, tuple) else (x,)


def each_part(x: Activation, change: Callable[[torch.Tensor], torch.Tensor]) -> Activation:
    """Return x with every tensor changed."""
    return tuple(change(part) for part in x) if isinstance(x, tuple) else change(x)


def shape_of(x: Activation) -> Shape:
    """Return the shape and the dtype of every tensor."""
    return [(tuple(part.shape), str(part.dtype).removeprefix("torch.")) for part in parts_of(x)]


def shape_in_words(shape: Shape) -> str:
    """Return e.g. "(4, 8) float32 and (4,) int64"."""
    return " and ".join(f"{size} {dtype}" for size, dtype in shape)


def single_tensors(found: list[Activation], names: list[str]) -> list[torch.Tensor]:
    """Return the activations of a model whose layers pass on single tensors.

    Args:
        found: the input of the first layer, and the output of each.
        names: of the layers.

    Raises:
        CaseError: a layer returns a tuple.
    """
    single = [x for x in found if isinstance(x, torch.Tensor)]
    if len(single) < len(found):
        number = next(i for i, x in enumerate(found) if isinstance(x, tuple))
        raise CaseError(
            f"{names[number - 1]} returns a tuple of tensors; a layer must return one tensor: "
            "flatten them and join them with torch.cat"
        )
    return single


def check_output(output: object, rows: int, name: str) -> None:
    """Refuse what no split can pass on.

    Args:
        output: what the layer returned.
        rows: of its input.
        name: of the layer.

    Raises:
        CaseError: it is no tensor and no tuple of tensors, or its first dimension is not the rows.
    """
    parts = output if isinstance(output, tuple) else (output,)
    for part in parts:
        if not isinstance(part, torch.Tensor):
            kind = type(output).__name__
            if isinstance(output, tuple):
                kind = f"tuple with a {type(part).__name__}"
            raise CaseError(f"{name} returns a {kind}; return a tensor, or a tuple of tensors")
        if not part.shape or part.shape[0] != rows:
            raise CaseError(
                f"{name} returns a tensor {tuple(part.shape)} of {rows} rows; its first dimension "
                "must be the rows"
            )
    if not parts:
        raise CaseError(f"{name} returns an empty tuple; return a tensor, or a tuple of tensors")


def outputs_of(layers: Iterable[nn.Module], x: Activation, names: list[str]) -> list[Activation]:
    """Return x and the output of each layer in turn.

    Args:
        layers: in order.
        x: the input of the first.
        names: of the layers.

    Raises:
        CaseError: a layer returns what no split can pass on.
    """
    found, rows = [x], parts_of(x)[0].shape[0]
    for layer, name in zip(layers, names, strict=True):
        output = layer(found[-1])
        check_output(output, rows, name)
        found.append(output)
    return found
