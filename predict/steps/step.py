"""A predicted step, without the doubt about it."""

from dataclasses import dataclass


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


def launch_bound(step: Step) -> Step:
    """Return the step as long as its host takes, if that is longer."""
    if step.host_s is None or step.host_s <= step.seconds:
        return step
    longer = step.host_s / step.seconds
    bubbles = tuple(1 - (1 - bubble) / longer for bubble in step.bubbles)
    return Step(step.host_s, bubbles, step.host_s, step.doubt, step.notes)
