"""Levels of the actions of GPipe, 1F1B, ZB1P and ZBV.

Each phase ends on a GPU before the next begins there. `g` is the GPU, `i` the micro-batch, `p` the
number of GPUs. tests/predict/test_large.py holds them against the event model.
"""

from predict.orders.action import Kind
from predict.simulation.waves import Family, Limit

Line = tuple[int, int, int]
Phases = list[list[Family]]


def gpipe(p: int, m: int) -> Phases:
    """Return forwards at g + i, then backwards at i - g.

    Args:
        p: GPUs.
        m: micro-batches.
    """
    return [[Family("forward", (1, 1, 0))], [Family("backward", (-1, 1, 0))]]


def one_forward_one_backward(p: int, m: int) -> Phases:
    """Return forwards at 2 i + g and backwards at 2 i + 2 p - 1 - g.

    Args:
        p: GPUs.
        m: micro-batches.
    """
    return [[Family("forward", (1, 2, 0)), Family("backward", (-1, 2, 2 * p - 1))]]


def zero_bubble(p: int, m: int) -> Phases:
    """Return turns of three: turn n of GPU g begins at 3 n + g.

    It has forward n, gradient n - (p - 1 - g) of an input, and gradient n - (p - 1) of weights.

    Args:
        p: GPUs.
        m: micro-batches.
    """
    return [
        [
            Family("forward", (1, 3, 0)),
            Family("input_gradient", (-2, 3, 3 * p - 2)),
            Family("weight_gradient", (1, 3, 3 * p - 1)),
        ]
    ]


def zbv(p: int, m: int) -> Phases:
    """Return the phases of predict/orders/zbv.py, whose V has room for 2 p - 1 and more.

    Args:
        p: GPUs.
        m: micro-batches.
    """
    n = max(m, 2 * p - 1)
    return [_forwards(p), _first_gradients(p), _steady(p, n), _gradients(p, n), *_rest(p, n)]


def _down(kind: Kind, level: Line, *limits: Limit) -> Family:
    return Family(kind, level, limits)


def _up(kind: Kind, level: Line, *limits: Limit) -> Family:
    return Family(kind, level, limits, is_up=True)


def _forwards(p: int) -> list[Family]:
    """Return 2 p - 1 - g forwards down and g forwards up, in turn from the 2 (p - g)-th on."""
    return [
        _down("forward", (2, 2, 3 - 4 * p), (1, 1, 2 * p - 2)),
        _up("forward", (-2, 2, 0), (-1, 1, -1)),
    ]


def _first_gradients(p: int) -> list[Family]:
    """Return forwards up, g <= i < p, each with both gradients of i - g after it."""
    return [
        _up("forward", (-3, 6, 0), (1, -1, 0), (0, 1, p - 1)),
        _up("input_gradient", (3, 6, 1), (1, 1, p - 1)),
        _up("weight_gradient", (3, 6, 2), (1, 1, p - 1)),
    ]


def _steady(p: int, n: int) -> list[Family]:
    """Return turns q < n - p, which begin at 6 q - 2 g.

    Each has forward 2 p - g - 1 + q and gradients q down, forward p + q and gradients p - g + q up.
    """
    all_up = (-1, -1, -p), (1, 1, n - 1)
    all_down = (0, 1, n - p - 1)
    return [
        _down("forward", (4, 6, 6 - 12 * p), (-1, -1, 1 - 2 * p)),
        _down("input_gradient", (-2, 6, 1), all_down),
        _down("weight_gradient", (-2, 6, 2), all_down),
        _up("forward", (-2, 6, 3 - 6 * p), (0, -1, -p)),
        _up("input_gradient", (4, 6, 4 - 6 * p), *all_up),
        _up("weight_gradient", (4, 6, 5 - 6 * p), *all_up),
    ]


def _gradients(p: int, n: int) -> list[Family]:
    """Return g gradients of inputs down, from n - p on, and up, from n - g on, in turn."""
    return [
        _down("input_gradient", (-2, 4, 4 * (p - n)), (0, -1, p - n), (-1, 1, n - p - 1)),
        _up("input_gradient", (2, 4, 1 - 4 * n), (-1, -1, -n)),
    ]


def _rest(p: int, n: int) -> Phases:
    """Return p - g gradients of inputs and of weights down, in turn; then all that is left."""
    others = (-1, -1, -n)
    return [
        [
            _down("input_gradient", (-2, 2, 2 * (p - n)), (1, -1, p - n)),
            _down("weight_gradient", (0, 2, 2 * (p - n) + 1), (0, -1, p - n), (1, 1, n - 1)),
        ],
        [_up("weight_gradient", (0, 1, 0), others), _down("weight_gradient", (0, 1, 0), others)],
    ]
