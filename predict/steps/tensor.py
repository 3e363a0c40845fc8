"""The step of tensor parallelism."""

from collections.abc import Iterator
from math import fsum

from predict.costs.calibrated import Calibrated
from predict.costs.layers import LOSS
from predict.costs.shapes import output_bytes
from predict.steps.step import Step
from predict.steps.together import Together, paced
from study.case import Case
from study.results.calibration.layers import LayerAction

ACTIONS: tuple[LayerAction, ...] = ("forward", "backward_first")


def tensor_step(case: Case, calibrated: Calibrated, nodes: int = 1) -> Step:
    """Return the step of tensor parallelism, which waits for each of its all-reduces.

    Args:
        case: the configuration.
        calibrated: the times.
        nodes: that it runs on.

    Raises:
        Unpredictable: something that it takes was not calibrated.
    """
    made = Together(case, calibrated, nodes, shares=case.gpus)
    sums = fsum(_sums_of(made))

    def play() -> tuple[float, float]:
        computed = fsum(
            made.seconds(layer, action) for layer in [*made.layers, LOSS] for action in ACTIONS
        )
        computed += made.optimizer_s(case.gpus)
        return computed + sums, computed

    return paced(made, play)


def _sums_of(made: Together) -> Iterator[float]:
    """Yield the seconds of each collective: rows are summed forward, columns backward."""
    last = made.case.layers - 1
    for layer in made.layers:
        size = output_bytes(made.case, made.calibrated.model, layer)
        if layer > 0:
            yield made.collective_s("all_reduce", size)
        if layer == last and layer % 2 == 0:
            yield made.collective_s("all_gather", size)
