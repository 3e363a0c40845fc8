"""Times of schedules in which all GPUs have all layers, and do the same."""

from collections.abc import Callable, Iterable

from predict.costs.calibrated import Calibrated
from predict.costs.host import HostTimes
from predict.costs.layers import LOSS, LayerTimes
from predict.costs.links import collective_s, slowdown
from predict.costs.pace import Pace, pace_at
from predict.costs.refusal import Unpredictable
from predict.costs.shapes import parameter_bytes
from predict.costs.updates import update_s
from predict.costs.work import Work
from predict.steps.overlap import SideBySide
from predict.steps.step import Step, host_of_step, launch_bound
from study.case import Case
from study.results.calibration.layers import LayerAction
from study.results.calibration.timing import Timing

Play = Callable[[], tuple[float, float]]


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
        return parameter_bytes(self.times, layers)

    def collective_s(self, operation: str, size: float) -> float:
        """Return the seconds of a collective of all GPUs."""
        if self.case.gpus == 1:
            return 0.0
        between = self.calibrated.between(self.nodes)
        return collective_s(between, operation, size, self.case.gpus, self.nodes)

    def optimizer_s(self, parts: int) -> float:
        """Return the seconds of the optimizer on a part of all parameters."""
        return update_s(self.calibrated.layers, "optimizer", self.parameters(self.layers) / parts)

    def side_by_side(self) -> SideBySide:
        """Return a GPU at the beginning of a step."""
        return SideBySide(slowdown(self.calibrated.pair_record, ("all_reduce", "receive")))


def paced(made: Together, play: Play) -> Step:
    """Return the step at the pace of its own bubbles.

    Args:
        made: the times.
        play: returns the seconds of a step, and those of computing in it.
    """
    seconds, computed = play()
    made.pace = pace_at(made.calibrated.layers, min(1.0, computed / seconds))
    made.timings.clear()
    seconds, computed = play()
    work, case = Work.of(made.timings), made.case
    host_s = host_of_step(made.times, HostTimes.of(case, made.calibrated.everything))
    bubbles = (1 - computed / seconds,) * case.gpus
    return launch_bound(Step(seconds, bubbles, host_s, work.half_width_s / work.seconds))
