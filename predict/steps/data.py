"""The steps of data parallelism: DDP and FSDP."""

from typing import Literal

from predict.costs.calibrated import Calibrated
from predict.costs.layers import LOSS
from predict.steps.overlap import SideBySide
from predict.steps.step import Step
from predict.steps.together import Together, paced
from study.case import Case
from study.results.calibration.layers import LayerAction

FIRST_BUCKET, BUCKET = 2**20, 25 * 2**20  # bytes, of DDP: torch's defaults


def ddp_step(case: Case, calibrated: Calibrated, nodes: int = 1) -> Step:
    """Return the step of DDP, which sums gradients bucket by bucket while backward goes on.

    Args:
        case: the configuration.
        calibrated: the times.
        nodes: that it runs on.

    Raises:
        Unpredictable: something that it takes was not calibrated.
    """
    made = Together(case, calibrated, nodes)

    def play() -> SideBySide:
        gpu = SideBySide()
        for layer in [*made.layers, LOSS]:
            made.compute(gpu, layer, "forward")
        made.compute(gpu, LOSS, "backward_first")
        bucket, limit = 0, FIRST_BUCKET
        for layer in reversed(made.layers):
            made.compute(gpu, layer, "backward_first")
            gpu.compute(made.copy_s([layer]))  # gradients into their bucket
            bucket += made.parameters([layer])
            if bucket >= limit or not layer:
                gpu.collect(made.collective_s("all_reduce", bucket))
                bucket, limit = 0, BUCKET
        gpu.wait_until(gpu.free_s)
        made.update(gpu)
        return gpu

    return paced(made, play)


def fsdp_step(case: Case, calibrated: Calibrated, nodes: int = 1) -> Step:
    """Return the step of FSDP, which puts the next layer together while it computes one.

    Args:
        case: the configuration.
        calibrated: the times.
        nodes: that it runs on.

    Raises:
        Unpredictable: something that it takes was not calibrated.
    """
    made = Together(case, calibrated, nodes)

    def play() -> SideBySide:
        gpu = SideBySide()
        _gathered(made, gpu, list(made.layers), "forward")
        made.compute(gpu, LOSS, "forward")
        made.compute(gpu, LOSS, "backward_first")
        _gathered(made, gpu, list(reversed(made.layers)), "backward_first")
        gpu.wait_until(gpu.free_s)
        made.update(gpu, case.gpus)
        return gpu

    return paced(made, play)


def _gathered(made: Together, gpu: SideBySide, order: list[int], action: LayerAction) -> None:
    """Compute layer after layer; the next is put together meanwhile, and gradients are taken apart.

    Args:
        made: the times.
        gpu: where.
        order: of the layers.
        action: of each.
    """
    sizes = [made.parameters([layer]) for layer in order]
    ready = gpu.collect(made.collective_s("all_gather", sizes[0]))
    for n, layer in enumerate(order):
        gpu.wait_until(ready)
        gpu.copy(made.copy_s([layer]))  # out of what was gathered
        if n + 1 < len(order):
            kind: Literal["forward", "backward"] = "forward" if action == "forward" else "backward"
            asked_s = gpu.asked_s + made.launching_s(layer, kind)
            gathered_s = made.collective_s("all_gather", sizes[n + 1])
            ready = gpu.collect(gathered_s, max(gpu.now, asked_s))
        made.compute(gpu, layer, action)
        if action != "forward":
            gpu.copy(made.copy_s([layer]))  # gradients, into what is scattered
            gpu.collect(made.collective_s("reduce_scatter", sizes[n]))
