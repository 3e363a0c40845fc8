"""A measurement: step times, their breakdown, and memory."""

from typing import Literal

from study.results.record import Bytes, Count, Record, Remainder, Seconds


class GpuMemory(Record, frozen=True):
    """One GPU of the case. The peaks are those of the timed steps; null where not known.

    `workspace_bytes` is what cuBLAS took for itself with the first matrix products; it is part of
    the peak. `reduction_bytes` is what the sum over a micro-batch's rows, a bias's gradient, takes
    while it runs; it comes and goes within backward. `reduction_rows` says how many rows that sum
    had; null for the whole batch's, of whatever schedule, as older results have it.
    `driver_used_bytes` is all that is in use on the GPU as the driver sees it, contexts and other
    processes included.
    """

    index: Count
    device: str
    layers: Count
    peak_allocated_bytes: Bytes | None
    peak_reserved_bytes: Bytes | None
    workspace_bytes: Bytes | None = None
    reduction_bytes: Bytes | None = None
    reduction_rows: Count | None = None
    driver_used_bytes: Bytes | None = None


class GpuTime(Record, frozen=True):
    """Time of one GPU by activity, in seconds, one entry for each instrumented step.

    `transfer_out_s` and `transfer_in_s` are the copies from and to this GPU, whichever way; what
    is none of the others is `idle_s`. In a pipeline of processes `backward_s` holds both kinds of
    gradients, `weight_gradient_s` those of weights where the schedule computes them on their own;
    `transfer_in_s` is the time from where another GPU had made what this one waits for; sends stop
    nobody, so `transfer_out_s` is 0; `optimizer_s` has the scaling of gradients, too. Under tensor
    parallelism `transfer_in_s` is the waiting for what all GPUs do together (`collective`), be it
    for data or for the last of them to come.
    """

    index: Count
    forward_s: list[Seconds]
    backward_s: list[Seconds]
    optimizer_s: list[Seconds]
    transfer_in_s: list[Seconds]
    transfer_out_s: list[Seconds]
    idle_s: list[Remainder]
    weight_gradient_s: list[Seconds] | None = None


SpanKind = Literal[
    "forward",
    "backward",
    "input_gradient",
    "weight_gradient",
    "scaling",
    "optimizer",
    "transfer_out",
    "transfer_in",
    "collective",
]


class TimeSpan(Record, frozen=True):
    """One activity of one GPU, in seconds since its step began; of a transfer, its peer.

    In a pipeline: for which stage and micro-batch. `backward` is all gradients at once. `scaling`
    divides the gradients of all micro-batches by their number; older results have it as a gap.
    """

    gpu: Count
    kind: SpanKind
    start_s: Remainder
    end_s: Remainder
    peer: int | None = None
    stage: int | None = None
    micro_batch: int | None = None


class Breakdown(Record, frozen=True):
    """Instrumented steps, apart from the timed ones.

    `clock` says who told the time: events on the GPUs, or the host beside the CPU. `step_times_s`
    are on the host's clock, from all devices idle to all devices idle, like timed steps.
    `typical_step` are the spans of the one of median length. `plain_step_times_s` are of the timed
    steps right before each of them, which carried no instruments; null in results from before they
    were taken. `clock_error_s` is the most by which the clocks of two GPUs may have
    been apart as one of the steps began; null in results from before it was known.
    """

    clock: Literal["cuda_events", "host"]
    step_times_s: list[Seconds]
    per_gpu: list[GpuTime]
    typical_step: list[TimeSpan]
    plain_step_times_s: list[Seconds] | None = None
    clock_error_s: Seconds | None = None


class Measurement(Record, frozen=True):
    """Raw step times, one per timed step; all else comes from other steps.

    `converged` says whether the 95 % confidence interval of the median, `median_ci_s` (low, high;
    null where there are too few steps), became as narrow as the case asks for; `stopped_by` says
    what ended the timed steps. `warmup_steady` is null where warm-up was too short to tell.
    `draw_version` says how the first weights and the batch were drawn: 1 is all layers one after
    another on the CPU, as it is where null; 2 is each layer on its device from a seed of its own.
    """

    step_times_s: list[Seconds]
    stopped_by: Literal["converged", "steps", "time_limit"]
    converged: bool
    median_ci_s: tuple[Seconds, Seconds] | None
    warmup_steps: Count
    warmup_steady: bool | None
    forward_s: list[Seconds]
    backward_s: list[Seconds]
    optimizer_s: list[Seconds]
    breakdown: Breakdown | None
    first_loss: float | None
    per_gpu: list[GpuMemory]
    # Logical GPUs that share one real GPU have no peaks of their own; this is their sum's peak.
    shared_peak_allocated_bytes: Bytes | None
    shared_peak_reserved_bytes: Bytes | None
    draw_version: Count | None = None
