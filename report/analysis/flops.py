"""Floating-point operations of a step, counted exactly, and their rate."""

from report.analysis.profiled.shapes import operations_of
from report.analysis.step_time import step_time
from report.data.measured import MeasuredCase
from study.case import Case
from study.results.ceilings import GemmRate
from study.results.layers import ModelProfile
from study.stages import Parts


def step_flops(case: Case, model: ModelProfile | None = None) -> int | None:
    """Return the operations of the matrix products and convolutions of one training step.

    None where an operation of the model has no known count.

    Args:
        case: the configuration.
        model: its layers as measured; None for the linear stack.
    """
    found = operations_of(case, model)
    return None if found is None else found.total


def parts_of(result: MeasuredCase) -> Parts | None:
    """Return the operations of forward and of both gradients, where they make a difference.

    None for the linear stack, whose products are all equal, and where they are not known.
    """
    found = None if result.model is None else operations_of(result.case, result.model)
    if found is None or not found.total:
        return None
    return found.forward, found.input_gradient, found.weight_gradient


def achieved_flop_per_s(result: MeasuredCase) -> float | None:
    """Return the operations of a step divided by its time; None where they are not known."""
    flops = step_flops(result.case, result.model)
    return None if flops is None else flops / step_time(result).estimate_s


def fastest_product(result: MeasuredCase) -> GemmRate:
    """Return the fastest matrix product that the same job measured on one GPU."""
    return max(result.ceilings.gemm, key=lambda gemm: gemm.flop_per_s)
