"""ZBV: each GPU holds two stages, one on the way down the V and one on the way back up.

The order of torch's ScheduleZBVZeroBubble, after section 6 of Qi et al. 2023 (arXiv 2401.10241).
"""

from collections.abc import Iterator

from predict.orders.action import Action, Kind


def zbv(gpus: int, micro_batches: int, chunks: int, gpu: int) -> Iterator[Action]:
    """Yield the actions of a GPU under ZBV.

    The order is that of at least 2 p - 1 micro-batches, which fill the V; what is too many of them
    is left out.

    Args:
        gpus: of the pipeline.
        micro_batches: of a step.
        chunks: stages of each GPU, two.
        gpu: the one that is meant.
    """
    down, up = gpu, 2 * gpus - 1 - gpu
    filled = max(micro_batches, 2 * gpus - 1)
    for kind, is_down, i in _steps(gpus, filled, gpu):
        if i < micro_batches:
            yield Action(kind, down if is_down else up, i)


_Step = tuple[Kind, bool, int]


def _steps(gpus: int, micro_batches: int, gpu: int) -> Iterator[_Step]:
    """Yield kind, whether it is of the stage on the way down, and micro-batch."""
    later = gpus - gpu  # GPUs from this one to the last
    ahead = 2 * later - 1
    # Warm-up: forwards down, until the first micro-batch returns; then up and down in turn.
    for i in range(ahead):
        yield "forward", True, i
    for i in range(gpu):
        yield "forward", False, i
        yield "forward", True, ahead + i
    for i in range(later):
        yield "forward", False, gpu + i
        yield from _both_gradients(False, i)
    # Steady: a forward and both gradients down, then the same up.
    for i in range(micro_batches - gpus):
        if ahead + gpu + i < micro_batches:
            yield "forward", True, ahead + gpu + i
        yield from _both_gradients(True, i)
        yield "forward", False, gpus + i
        yield from _both_gradients(False, later + i)
    # Cool-down: gradients of weights fill the gaps between the last gradients of inputs.
    done_down, done_up = micro_batches - gpus, micro_batches - gpu
    for i in range(gpu):
        yield "input_gradient", True, done_down + i
        yield "input_gradient", False, done_up + i
    for i in range(later):
        yield "input_gradient", True, done_down + gpu + i
        yield "weight_gradient", True, done_down + i
    for i in range(done_up, micro_batches):
        yield "weight_gradient", False, i
    for i in range(done_down + later, micro_batches):
        yield "weight_gradient", True, i


def _both_gradients(is_down: bool, i: int) -> Iterator[_Step]:
    yield "input_gradient", is_down, i
    yield "weight_gradient", is_down, i
