"""The gradient of each layer's input: where backward needs it, and where it is computed."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from study.case import Case
from study.schedules import SCHEDULES


@dataclass(frozen=True)
class InputGradient:
    """Says whether backward computes the gradient of a layer's input.

    Attributes:
        is_needed: in the unsplit model: a layer before is trained. Operations count it then.
        is_made: in this schedule. Memory and time have it then; torch's pipelines compute it for
            every stage but the first, whatever is frozen before.
    """

    is_needed: bool
    is_made: bool


def input_gradients(case: Case, layers: Iterable[nn.Module]) -> list[InputGradient]:
    """Return one for each layer of the case's model."""
    is_pipeline = SCHEDULES[case.schedule].is_pipeline
    found, is_needed = list[InputGradient](), False
    for layer in layers:
        found.append(InputGradient(is_needed, is_needed or (is_pipeline and bool(found))))
        is_needed |= any(parameter.requires_grad for parameter in layer.parameters())
    return found
