"""A predicted step, without the doubt about it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from predict.costs.cuts import Cut
from predict.costs.host import HostTimes
from predict.costs.layers import LayerTimes
from study.results.calibration.record import Calibration

LAUNCH_BOUND = 0.75  # host share above which medians vary from job to job


@dataclass(frozen=True)
class Step:
    """A step as the costs make it.

    Attributes:
        seconds: of the step.
        bubbles: the share of the step, 0 to 1, in which each GPU computes nothing.
        host_s: seconds that the slowest process takes by itself; None if unknown.
        doubt: half of the 90 % interval that the spread of the calibration alone makes, as a share
            of the step.
        notes: what is not as it was calibrated, as clauses.
        gpus_s: seconds of the step if launching took no time, of one that is launch-bound.
        layers_per_stage: of a pipeline.
        cuts: the stage of each layer, where a job cuts by time: the likeliest first, then those
            that cannot be told apart from it.
    """

    seconds: float
    bubbles: tuple[float, ...]
    host_s: float | None
    doubt: float
    notes: tuple[str, ...] = ()
    gpus_s: float | None = None
    layers_per_stage: tuple[int, ...] = ()
    cuts: tuple[Cut, ...] = ()

    @property
    def host_share(self) -> float | None:
        """The host's own seconds beside those of the step; None if unknown."""
        return None if self.host_s is None else min(1.0, self.host_s / self.seconds)

    @property
    def is_launch_bound(self) -> bool:
        """True if launching takes so much of the step that its median cannot be predicted."""
        return self.host_share is not None and self.host_share > LAUNCH_BOUND


def host_of_step(times: LayerTimes, calibrations: Sequence[Calibration]) -> float | None:
    """Return the seconds in which a process launches a whole step; None if unknown.

    A CUDA graph is launched at once, which counts as nothing.

    Where the tiny layers were linear and the case's are not, launching its own layers counts, and
    what the schedule adds to a naive step of tiny layers.

    Args:
        times: of the layers.
        calibrations: that have steps of tiny layers, those of most GPUs first.
    """
    case = times.case
    if case.execution == "cuda_graph":
        return 0.0
    tiny = HostTimes.of(case, calibrations)
    tiny_s = 0.0 if tiny is None else tiny.step_s(case.layers)
    if case.kind == "linear" or (tiny is not None and tiny.is_of_blocks):
        return tiny_s or None
    naive = HostTimes.of_naive(calibrations)
    added_s = 0.0 if naive is None else max(0.0, tiny_s - naive.step_s(case.layers))
    return max(times.launch_all_s() + added_s, tiny_s) or None


def launch_bound(step: Step) -> Step:
    """Return the step as long as its host takes, if that is longer."""
    if step.host_s is None or step.host_s <= step.seconds:
        return step
    longer = step.host_s / step.seconds
    bubbles = tuple(1 - (1 - bubble) / longer for bubble in step.bubbles)
    gpus_s = step.gpus_s or step.seconds
    return replace(step, seconds=step.host_s, bubbles=bubbles, gpus_s=gpus_s)
