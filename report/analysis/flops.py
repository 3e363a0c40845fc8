"""Floating-point operations of a step, counted exactly, and their rate."""

from report.analysis.step_time import step_time
from report.data.measured import MeasuredCase
from study.case import Case
from study.results.ceilings import GemmRate


def step_flops(case: Case) -> int:
    """Return the operations of the matrix products of one training step.

    A layer of d x d on b rows has one product of 2 b d^2 operations in forward, one for the
    gradient of its weight and one for that of its input; the first layer's input needs none.
    Additions of biases, ReLU, loss and optimizer are left out, as in MLPerf's model FLOPs.
    """
    products = 3 * case.depth - 1
    return 2 * case.batch_size * case.dim**2 * products


def achieved_flop_per_s(result: MeasuredCase) -> float:
    """Return the operations of a step divided by its time."""
    return step_flops(result.case) / step_time(result).estimate_s


def fastest_product(result: MeasuredCase) -> GemmRate:
    """Return the fastest matrix product that the same job measured on one GPU."""
    return max(result.ceilings.gemm, key=lambda gemm: gemm.flop_per_s)
