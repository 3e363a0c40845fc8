"""The numbers of a step by which a graph is compared with an eager step."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from torch.distributed.tensor import DTensor

# A graph launches the kernels of an eager step, so numbers differ where the order of additions
# does: some kernels add up by atomic operations. bfloat16 has 8 bits.
TOLERANCES = {"float32": 1e-4, "tf32": 1e-3, "bfloat16": 0.02}


class HasLayers(Protocol):
    """A step that knows its layers by number."""

    def layers(self) -> dict[int, nn.Module]:
        """Return them."""


@dataclass(frozen=True)
class Evidence:
    """Numbers that a step of this rank found.

    Attributes:
        loss: the mean over this rank's parts of the batch; None where other ranks have it.
        norms: of each gradient, by (layer, name of the parameter); None where there is none.
    """

    loss: float | None
    norms: dict[tuple[int, str], float | None]


def gather_evidence(losses: list[torch.Tensor], step: HasLayers) -> Evidence:
    """Read the losses and the norms of the gradients that are there now.

    Args:
        losses: of every part of the batch, where this rank has them.
        step: whose layers have the gradients.
    """
    norms = {
        (number, name): None if parameter.grad is None else _norm(parameter.grad)
        for number, layer in step.layers().items()
        for name, parameter in layer.named_parameters()
    }
    return Evidence(mean_of(losses), norms)


def mean_of(losses: list[torch.Tensor]) -> float | None:
    """Return the mean of losses as a number; None without any."""
    return torch.stack(losses).float().mean().item() if losses else None


def find_difference(expected: Evidence, found: Evidence, dtype: str) -> str | None:
    """Return in words how a graph's step differs from the eager one; None if it does not.

    Args:
        expected: of the eager step.
        found: of the graph's.
        dtype: of the case.
    """
    tolerance = TOLERANCES[dtype]
    if expected.loss is not None and not are_close(expected.loss, found.loss, tolerance):
        return f"the graph's loss is {found.loss}, that of an eager step {expected.loss}"
    for (layer, name), norm in expected.norms.items():
        its = found.norms[layer, name]
        if (norm is None) != (its is None):
            return (
                f"the graph has {'no' if its is None else 'a'} gradient of layer {layer}'s {name}"
            )
        if norm is not None and not are_close(norm, its, tolerance):
            return (
                f"the graph's gradient of layer {layer}'s {name} has the norm {its}, that of an "
                f"eager step {norm}"
            )
    return None


def are_close(expected: float, found: float | None, tolerance: float) -> bool:
    """Return whether two numbers are equal up to a share of the first; so are two that are none.

    Args:
        expected: the one.
        found: the other.
        tolerance: the share.
    """
    if found is None:
        return False
    if not math.isfinite(expected):
        return not math.isfinite(found)
    return abs(found - expected) <= tolerance * abs(expected)


def _norm(gradient: torch.Tensor) -> float:
    mine = gradient.to_local() if isinstance(gradient, DTensor) else gradient
    values = mine.coalesce().values() if mine.is_sparse else mine
    return float(torch.linalg.vector_norm(values, dtype=torch.float32).item())
