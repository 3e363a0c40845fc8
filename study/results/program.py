"""The run of a program of one's own: what it said of its steps, and its GPUs as sampled."""

from typing import Annotated, Literal

from msgspec import Meta

from study.results.record import Bytes, Count, PerSecond, Record, Seconds

MOST_STEPS = 200_000  # whose interval is found within seconds
LONGEST_ITEM = 40  # characters
ToldBy = Literal["file", "last_line", "wall_time"]
Share = Annotated[float, Meta(ge=0, le=1)]


class GpuSamples(Record, frozen=True):
    """One GPU of a program, as NVML saw it from the program's start to its end.

    NVML sees all processes on the GPU, and the highest sample is no more than the peak.
    `used_before_bytes` was in use before the program began. `utilization` is the mean of NVML's:
    the share of its last window, up to a second, in which any kernel ran.
    """

    index: Count
    samples: Count
    used_before_bytes: Bytes | None
    peak_used_bytes: Bytes | None
    utilization: Share | None


class ProgramRun(Record, frozen=True):
    """A program that ended well.

    `told_by` says where its steps are from; `wall_time` is no steps but the whole run, from start
    to end, as its one figure. `median_ci_s` is the 95 % confidence interval of their median (low,
    high; null where there are too few steps).
    """

    told_by: ToldBy
    step_times_s: Annotated[list[Seconds], Meta(min_length=1, max_length=MOST_STEPS)]
    median_ci_s: tuple[Seconds, Seconds] | None
    wall_s: Seconds
    items_per_step: PerSecond | None
    item: Annotated[str, Meta(max_length=LONGEST_ITEM)] | None
    first_loss: float | None
    sample_interval_s: Seconds
    gpus: tuple[GpuSamples, ...]

    @property
    def tells_steps(self) -> bool:
        """False where the wall time of the whole run is all that is known."""
        return self.told_by != "wall_time"
