"""How many floating-point operations a step is, counted exactly, and how fast they ran."""

from report.analysis.step_time import step_time
from report.data.measured import MeasuredCase
from study.case import Case
from study.results.ceilings import GemmRate


def step_flops(case: Case) -> int:
    """Operations of the matrix products of one training step.

    A layer of d x d on b rows is one product of 2 b d^2 operations in forward, one for the gradient
    of its weight and one for that of its input; the first layer's input needs none. Additions of
    biases, ReLU, loss and optimizer are left out, as in MLPerf's model FLOPs.
    """
    products = 3 * case.depth - 1
    return 2 * case.batch_size * case.dim**2 * products


def achieved_flop_per_s(result: MeasuredCase) -> float:
    """The operations of a step by its time."""
    return step_flops(result.case) / step_time(result).estimate_s


def fastest_product(result: MeasuredCase) -> GemmRate:
    """The fastest matrix product of the same job, on one GPU."""
    return max(result.ceilings.gemm, key=lambda gemm: gemm.flop_per_s)
