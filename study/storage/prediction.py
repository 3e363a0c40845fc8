"""A prediction, as it is written down when a case is submitted."""

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0, le=1e9)]
Share = Annotated[float, Meta(ge=-1, le=1)]
Text = Annotated[str, Meta(max_length=2000)]
Group = Literal["one stage", "runtime", "naive", "together"]
Size = Annotated[int, Meta(ge=0)]
LAUNCHING, AS_CALIBRATED = "launching takes about ", ", as it was calibrated"  # of a label
MOST = Meta(max_length=4096)
MOST_STAGES = Meta(max_length=100_002)


def is_extrapolated(label: str) -> bool:
    """Return whether a label says that a prediction goes beyond what was calibrated or seen."""
    return label.startswith("extrapolated")


def launching_of(labels: Iterable[str]) -> str:
    """Return what launching takes as a time in words, of a label that says it; else nothing."""
    found = (
        label.removeprefix(LAUNCHING).removesuffix(AS_CALIBRATED)
        for label in labels
        if label.startswith(LAUNCHING)
    )
    return next(found, "")


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """The step of a case before it ran.

    Attributes:
        step_s: the predicted median, launching as it was calibrated.
        low_s: the lower end of its 90 % interval.
        high_s: the upper end; None if launching takes so much of the step that there is only a
            bound, `low_s`: what the GPUs would take if launching took no time.
        group: schedules that are predicted alike: `one stage` are GPipe and 1F1B, `runtime` those
            of torch's runtime, `together` tensor and data parallelism.
        host_share: the host's own seconds beside the step's; None if unknown.
        bubbles: the share of the step in which each GPU computes nothing.
        peak_bytes: the most that torch's allocator holds on each GPU; of replicas, and of GPUs that
            hold the same, of the first; empty if unknown.
        peak_low_bytes: the same of each GPU with the cut into stages that gives it the least, of
            those that cannot be told apart; empty where there is one.
        peak_high_bytes: with the cut that gives it the most.
        layers_per_stage: the cut into stages; empty of what has none.
        one_gpu_s: the predicted step of one GPU, naive, with the same batch; None if unknown.
        labels: why it is less certain than others, as clauses.
        calibrations: the case and the start of each calibration that it is made from.
        commit: of this project; None if unknown.
    """

    step_s: Seconds
    low_s: Seconds
    high_s: Seconds | None
    group: Group
    host_share: Annotated[float, Meta(ge=0, le=1)] | None
    bubbles: Annotated[tuple[Share, ...], MOST] = ()
    peak_bytes: Annotated[tuple[Size, ...], MOST] = ()
    peak_low_bytes: Annotated[tuple[Size, ...], MOST] = ()
    peak_high_bytes: Annotated[tuple[Size, ...], MOST] = ()
    layers_per_stage: Annotated[tuple[Size, ...], MOST_STAGES] = ()
    one_gpu_s: Seconds | None = None
    labels: Annotated[tuple[Text, ...], Meta(max_length=20)] = ()
    calibrations: Annotated[tuple[Text, ...], Meta(max_length=20)] = ()
    commit: Annotated[str, Meta(pattern=r"\A[0-9a-f]{40,64}\Z")] | None = None

    @property
    def is_launch_bound(self) -> bool:
        """True if the step is given as "at least" alone."""
        return self.high_s is None

    @property
    def fullest_bytes(self) -> int | None:
        """The most that a GPU holds, with whichever cut; None if unknown."""
        return max(self.peak_high_bytes or self.peak_bytes, default=None)

    @property
    def is_extrapolated(self) -> bool:
        """True if it goes beyond what was calibrated or seen."""
        return any(map(is_extrapolated, self.labels))

    def contains(self, step_s: float) -> bool:
        """Return whether a measured step lies within the interval, or above the bound."""
        return self.low_s <= step_s and (self.high_s is None or step_s <= self.high_s)
