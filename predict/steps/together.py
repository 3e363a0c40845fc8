"""Times of schedules in which all GPUs have all layers, and do the same."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal

from predict.costs.beside import slowdowns
from predict.costs.calibrated import Calibrated
from predict.costs.gpus import slowest_of
from predict.costs.host import HostTimes
from predict.costs.layers import LOSS, LayerTimes
from predict.costs.links import collective_s
from predict.costs.power_limit.pace import Pace, pace_at
from predict.costs.power_limit.waiting import load_of_waiting
from predict.costs.refusal import Unpredictable
from predict.costs.shapes import parameter_bytes
from predict.costs.updates import update_s
from predict.costs.work import Work
from predict.steps.overlap import SideBySide
from predict.steps.step import Step, host_of_step, launch_bound
from study.case import Case
from study.results.calibration.layers import LayerAction
from study.results.calibration.timing import Timing

Play = Callable[[], SideBySide]


class Together:
    """Times of a case of which every GPU does the same.

    Args:
        case: the configuration.
        calibrated: the times.
        nodes: that it runs on.
        shares: over how many GPUs each layer's computing is split.
    """

    def __init__(self, case: Case, calibrated: Calibrated, nodes: int, shares: int = 1) -> None:
        self.case, self.calibrated, self.nodes = case, calibrated, nodes
        self.times, self.shares = LayerTimes(case, calibrated.layers), shares
        self.layers = range(case.layers)
        self.timings: list[Timing] = []
        self.pace = Pace()
        self.host_s = host_of_step(self.times, calibrated.everything)
        self.launches = case.execution == "eager"
        tiny = HostTimes.of(case, calibrated.everything)
        self._forward_share = 0.5 if tiny is None else tiny.forward_share
        self._of_blocks = tiny if tiny is not None and tiny.is_of_blocks else None
        beside = ("all_reduce", "receive")
        self._slowdowns = slowdowns(calibrated.pair_record, beside, self.times.rows)

    def seconds(self, layer: int, action: LayerAction) -> float:
        """Return what an action of a layer takes, at the pace of this GPU."""
        if action != "forward" and not self.times.learns(layer):
            return 0.0
        found = self.times.find(layer, action)
        if found is None and action == "backward_first":
            found = self.times.find(layer, "backward_later")
        found = found or self.times.time(layer, action)
        self.timings.append(found)
        return (
            found.seconds
            * self.pace.of(found)
            * (1.0 if layer == LOSS else self._part(layer, action))
        )

    def _part(self, layer: int, action: LayerAction) -> float:
        """Return what a share of a layer takes, as a part of the whole layer."""
        if self.shares == 1:
            return 1.0
        found = self.times.any_share(action, self.shares)
        if found is None:
            self.times.time(layer, action, self.shares)
            raise Unpredictable(f"layers split over {self.shares} GPUs were not calibrated")
        share, whole = found
        return share.seconds / whole.seconds

    def parameters(self, layers: Iterable[int]) -> int:
        """Return the bytes of the parameters of some layers."""
        return parameter_bytes(self.times, layers, self.calibrated.model, self.layers)

    def collective_s(self, operation: str, size: float) -> float:
        """Return the seconds of a collective of all GPUs."""
        if self.case.gpus == 1:
            return 0.0
        between = self.calibrated.between(self.nodes)
        return collective_s(between, operation, size, self.case.gpus, self.nodes)

    def copy_s(self, layers: Iterable[int]) -> float:
        """Return the seconds in which a GPU copies the parameters of some layers, or gradients.

        A copy reads and writes each byte once, as their division does, which is calibrated.
        """
        return update_s(self.calibrated.layers, "scaling", self.parameters(layers))

    def launching_s(self, layer: int, kind: Literal["forward", "backward"]) -> float:
        """Return what the process takes to ask for forward of a layer, or for its backward.

        Where no layers of the case's kind were run, its layers share a step's launching equally.

        Args:
            layer: its number, or LOSS, whose launching counts as nothing.
            kind: of the action.
        """
        if layer == LOSS or not self.launches or not self.host_s:
            return 0.0
        if self._of_blocks is not None:
            depth, last = self.case.depth, self.case.layers - 1
            block_s, end_s = self._of_blocks.block_and_end_s(kind, depth, self.case.layers - depth)
            return end_s if layer in (0, last) else block_s
        share = self._forward_share if kind == "forward" else 1 - self._forward_share
        return self.host_s * share / self.case.layers

    def compute(self, gpu: SideBySide, layer: int, action: LayerAction) -> None:
        """Let a GPU compute an action of a layer.

        Args:
            gpu: that computes.
            layer: its number, or LOSS, whose launching counts as nothing.
            action: of the layer.
        """
        kind: Literal["forward", "backward"] = "forward" if action == "forward" else "backward"
        launching_s = self.launching_s(layer, kind)
        gpu.compute(self.seconds(layer, action), self._slowdowns.get(kind, 1.0), launching_s)

    def update(self, gpu: SideBySide, parts: int = 1) -> None:
        """Let a GPU update a part of all parameters.

        Args:
            gpu: that computes.
            parts: of how many it has one.
        """
        launching_s = 0.0  # in that of the layers, where these share a step's
        if self._of_blocks is not None and self.launches:
            launching_s = self._of_blocks.action_s("optimizer", self.case.layers)
        size = self.parameters(self.layers) / parts
        gpu.compute(update_s(self.calibrated.layers, "optimizer", size), launching_s=launching_s)


def paced(made: Together, play: Play) -> Step:
    """Return the step at the pace of the load that it makes.

    Args:
        made: the times.
        play: returns a GPU at the end of a step.
    """
    gpu = play()
    slowness = slowest_of(made.calibrated, made.case.gpus)
    waits_s = gpu.now - gpu.work_s - gpu.idle_s  # and what is slower beside a collective
    load = (gpu.work_s + load_of_waiting(made.calibrated) * waits_s) / gpu.now
    made.pace = pace_at(made.calibrated.layers, min(1.0, load), slowness)
    made.timings.clear()
    gpu = play()
    work = Work.of(made.timings)
    bubbles = (1 - gpu.computed_s / gpu.now,) * made.case.gpus
    step = launch_bound(Step(gpu.now, bubbles, made.host_s, work.half_width_s / work.seconds))
    if not step.is_launch_bound:
        return step
    made.launches = False
    return replace(step, gpus_s=play().now)
