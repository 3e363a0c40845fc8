"""The step of tensor parallelism."""

from predict.costs.calibrated import Calibrated
from predict.costs.layers import LOSS
from predict.costs.shapes import output_bytes
from predict.steps.overlap import SideBySide
from predict.steps.step import Step
from predict.steps.together import Together, paced
from study.case import Case


def tensor_step(case: Case, calibrated: Calibrated, nodes: int = 1) -> Step:
    """Return the step of tensor parallelism, which waits for each of its all-reduces.

    Rows are summed forward, behind odd layers, and columns backward, before even ones.

    Args:
        case: the configuration.
        calibrated: the times.
        nodes: that it runs on.

    Raises:
        Unpredictable: something that it takes was not calibrated.
    """
    made = Together(case, calibrated, nodes, shares=case.gpus)
    last = made.case.layers - 1

    def play() -> SideBySide:
        gpu = SideBySide()
        for layer in made.layers:
            made.compute(gpu, layer, "forward")
            if layer % 2:
                _wait(made, gpu, "all_reduce", layer)
            elif layer == last:
                _wait(made, gpu, "all_gather", layer)
        made.compute(gpu, LOSS, "forward")
        made.compute(gpu, LOSS, "backward_first")
        for layer in reversed(made.layers):
            made.compute(gpu, layer, "backward_first")
            if layer and layer % 2 == 0:
                _wait(made, gpu, "all_reduce", layer)
        made.update(gpu, case.gpus)
        return gpu

    return paced(made, play)


def _wait(made: Together, gpu: SideBySide, operation: str, layer: int) -> None:
    """Let a GPU wait for a collective of a layer's output, which begins now."""
    size = output_bytes(made.case, made.calibrated.model, layer)
    gpu.wait_until(gpu.now + made.collective_s(operation, size))
