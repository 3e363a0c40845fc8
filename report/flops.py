"""How many floating-point operations a step is, counted exactly."""

from study.case import Case


def step_flops(case: Case) -> int:
    """Operations of the matrix products of one training step.

    A layer of d x d on b rows is one product of 2 b d^2 operations in forward, one for the gradient
    of its weight and one for that of its input; the first layer's input needs none. Additions of
    biases, ReLU, loss and optimizer are left out, as in MLPerf's model FLOPs.
    """
    products = 3 * case.depth - 1
    return 2 * case.batch_size * case.dim**2 * products
