"""What a case measured: step times, where the time went, and memory."""

from typing import Literal

from study.record import Record


class GpuMemory(Record, frozen=True):
    """One GPU of the case. The peaks are those of the timed steps; null where not known.

    `workspace_bytes` is what cuBLAS took for itself with the first matrix products; it is part of
    the peak. `driver_used_bytes` is all that is in use on the GPU as the driver sees it, contexts
    and other processes included.
    """

    index: int
    device: str
    layers: int
    peak_allocated_bytes: int | None
    peak_reserved_bytes: int | None
    workspace_bytes: int | None = None
    driver_used_bytes: int | None = None


class GpuTime(Record, frozen=True):
    """Where one GPU's time went, in seconds, one entry for each instrumented step.

    `transfer_out_s` and `transfer_in_s` are the copies from and to this GPU, whichever way; what
    is none of the others is `idle_s`.
    """

    index: int
    forward_s: list[float]
    backward_s: list[float]
    optimizer_s: list[float]
    transfer_in_s: list[float]
    transfer_out_s: list[float]
    idle_s: list[float]


SpanKind = Literal["forward", "backward", "optimizer", "transfer_out", "transfer_in"]


class TimeSpan(Record, frozen=True):
    """Something that one GPU did, in seconds since its step began; with whom, for a transfer."""

    gpu: int
    kind: SpanKind
    start_s: float
    end_s: float
    peer: int | None = None


class Breakdown(Record, frozen=True):
    """Steps of their own, with instruments.

    `clock` says who told the time: events on the GPUs, or the host beside the CPU. `step_times_s`
    are on the host's clock, from all devices idle to all devices idle, like timed steps.
    `typical_step` are the spans of the one of median length.
    """

    clock: Literal["cuda_events", "host"]
    step_times_s: list[float]
    per_gpu: list[GpuTime]
    typical_step: list[TimeSpan]


class Measurement(Record, frozen=True):
    """Raw step times, one per timed step; what else is here comes from steps of its own.

    `converged` says whether the 95 % confidence interval of the median, `median_ci_s` (low, high;
    null where there are too few steps), became as narrow as the case asks for; `stopped_by` says
    what ended the timed steps. `warmup_steady` is null where warm-up was too short to tell.
    """

    step_times_s: list[float]
    stopped_by: Literal["converged", "steps", "time_limit"]
    converged: bool
    median_ci_s: tuple[float, float] | None
    warmup_steps: int
    warmup_steady: bool | None
    forward_s: list[float]
    backward_s: list[float]
    optimizer_s: list[float]
    breakdown: Breakdown | None
    first_loss: float | None
    per_gpu: list[GpuMemory]
    # Logical GPUs that share one real GPU have no peaks of their own; this is their sum's peak.
    shared_peak_allocated_bytes: int | None
    shared_peak_reserved_bytes: int | None
