"""A predicted step, without the doubt about it."""

from dataclasses import dataclass

from predict.costs.host import HostTimes
from predict.costs.layers import LayerTimes


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
    """

    seconds: float
    bubbles: tuple[float, ...]
    host_s: float | None
    doubt: float
    notes: tuple[str, ...] = ()

    @property
    def host_share(self) -> float | None:
        """The host's own seconds beside those of the step; None if unknown."""
        return None if self.host_s is None else min(1.0, self.host_s / self.seconds)


def host_of_step(times: LayerTimes, host_times: HostTimes | None) -> float | None:
    """Return the seconds in which a process launches a whole step; None if unknown.

    The tiny layers were linear. Of other layers their own launching counts, if it takes longer.

    Args:
        times: of the layers.
        host_times: steps of tiny layers under the schedule; None where there are none.
    """
    tiny_s = None if host_times is None else host_times.step_s(times.case.layers)
    if times.case.kind == "linear":
        return tiny_s
    return max(times.launch_all_s(), tiny_s or 0.0) or None


def launch_bound(step: Step) -> Step:
    """Return the step as long as its host takes, if that is longer."""
    if step.host_s is None or step.host_s <= step.seconds:
        return step
    longer = step.host_s / step.seconds
    bubbles = tuple(1 - (1 - bubble) / longer for bubble in step.bubbles)
    return Step(step.host_s, bubbles, step.host_s, step.doubt, step.notes)
