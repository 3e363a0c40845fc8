"""Check what the batch, the layers and the loss of a factory return."""

from typing import Any

import torch

from mp.activations import Activation
from mp.families.user_code import UserCode
from study.text import one_line

LONGEST = 60  # characters of a name
LOOKED_AT = 2000  # characters of a name that is longer


def clean_name(name: str) -> str:
    """Return a name as one printable line of at most 60 characters."""
    line = one_line(str(name)[:LOOKED_AT])
    return (line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…") or "layer"


def type_name(value: Any) -> str:
    """Return the name of a value's type, as a person may read it."""
    return clean_name(type(value).__name__)


def check_batch(batch: Any, rows: int, code: UserCode) -> tuple[torch.Tensor, torch.Tensor]:
    """Return input and target.

    Args:
        batch: what `batch(rows)` returned.
        rows: how many rows it should have.
        code: the factory, for errors.

    Raises:
        CaseError: they are no two tensors on the CPU, or have another number of rows.
    """
    where = f"batch({rows})"
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise code.error(f"{where}: returns {type_name(batch)}; return (input, target)")
    for name, tensor in zip(("input", "target"), batch, strict=True):
        if not isinstance(tensor, torch.Tensor):
            raise code.error(f"{where}: its {name} is {type_name(tensor)} and no tensor")
        if tensor.device.type != "cpu":
            raise code.error(f"{where}: its {name} is on {tensor.device}; return CPU tensors")
        if tensor.dim() == 0 or tensor.shape[0] != rows:
            raise code.error(
                f"{where}: its {name} has shape {tuple(tensor.shape)}; the first dimension must be "
                f"the {rows} rows"
            )
    return batch[0], batch[1]


def check_output(output: Any, rows: int, layer: str, code: UserCode) -> Activation:
    """Return a layer's output, a tensor or a tuple of tensors.

    Args:
        output: what it returned.
        rows: of its input.
        layer: its number and name.
        code: the factory, for errors.

    Raises:
        CaseError: it is something else, or a first dimension is not the rows.
    """
    parts = output if isinstance(output, tuple) else (output,)
    for part in parts:
        if not isinstance(part, torch.Tensor):
            what = type_name(output)
            if isinstance(output, tuple):
                what = f"a tuple with {type_name(part)}"
            raise code.error(f"{layer}: returns {what}; a layer must return one tensor")
        if part.dim() == 0 or part.shape[0] != rows:
            raise code.error(
                f"{layer}: returns shape {tuple(part.shape)} for {rows} rows; the first dimension "
                "must be the rows, or micro-batches cannot be split"
            )
    if not parts:
        raise code.error(
            f"{layer}: returns an empty tuple; a layer must return one tensor, or a tuple of "
            "tensors"
        )
    checked: Activation = output
    return checked


def check_loss(loss: Any, code: UserCode) -> torch.Tensor:
    """Return the loss.

    Raises:
        CaseError: it is no scalar with a gradient.
    """
    if not isinstance(loss, torch.Tensor):
        raise code.error(f"loss: returns {type_name(loss)}; return a tensor of one number")
    if loss.dim() != 0:
        raise code.error(
            f"loss: returns shape {tuple(loss.shape)}; return its mean, a tensor of one number"
        )
    return loss
