"""Seconds of each kind of layer and of what a step does with all parameters, and memory."""

from typing import Annotated, Literal

from msgspec import Meta

from study.results.calibration.timing import BusyShare, Timing
from study.results.layers import MOST_LAYERS, ModelProfile, Name
from study.results.record import Bytes, Count, Hertz, Record, Seconds

LayerAction = Literal[
    "forward",
    "backward_first",
    "backward_later",
    "input_gradient",
    "weight_first",
    "weight_later",
]
PaceName = Literal["unthrottled", "sustained", "host"]


class LayerKind(Record, frozen=True):
    """Layers that are alike, by their numbers; the loss, which comes last, has none."""

    name: Name
    layers: Annotated[tuple[Count, ...], Meta(max_length=MOST_LAYERS)]
    parameters: Count
    parameter_bytes: Bytes


class LayerTime(Timing, frozen=True):
    """One action of one layer of a kind, with a micro-batch of `rows` rows.

    `kind` counts `kinds` from 0. The `first` micro-batch of a step makes the gradients of the
    parameters, a `later` one adds to them. `input_gradient` and `weight` are backward in two parts,
    as zero bubble has it. With separate gradients torch's first stage, whose input has no gradient,
    computes nothing in the first part and the whole backward in the second.

    `pace`: `unthrottled` is the GPU's time after a pause, `sustained` the same on a GPU that
    computes this for so long that it may have come to its power limit; neither waits for launches.
    `host` is the time in which the host launches. There is no `sustained` where the host launches
    more slowly than the GPU computes, and on a CPU no `sustained` and no `host`.

    `shares` is over how many GPUs the layer was split: 1 is the whole layer.
    """

    kind: Count
    action: LayerAction
    rows: Count
    gradients: Literal["separate", "fused"]
    pace: PaceName
    shares: Count = 1


class GpuTime(LayerTime, frozen=True, kw_only=True):
    """A layer's time on the GPU of one rank, since GPUs of a kind are not equally fast.

    All ranks compute at once. There is no `host`.
    """

    rank: Count


class UpdateTime(Timing, frozen=True):
    """The optimizer's step, or the division of gradients by the micro-batches, for some layers.

    `bytes` are of the parameters. `pace` is that of a layer.
    """

    action: Literal["optimizer", "scaling"]
    parameters: Count
    tensors: Count
    bytes: Bytes
    pace: PaceName


class LoadedTime(Timing, frozen=True):
    """Forward and backward of layers of one kind, on a GPU that computes part of the time.

    A GPU of a pipeline waits in between, so that it keeps a higher clock under its power limit.
    `layers` is how many were run one after another. The state is NVML's under this load, null where
    it is unknown.
    """

    busy_share: BusyShare
    kind: Count
    layers: Count
    rows: Count
    sm_clock_hz: Hertz | None
    power_w: float | None
    temperature_celsius: int | None
    throttle_reasons: tuple[str, ...] | None


class BurstTime(LoadedTime, frozen=True, kw_only=True):
    """The same on a GPU that computes for `burst_s` without a pause: longer than `loaded` does.

    A power limit looks back for some time. A GPU that computes for longer is slowed meanwhile, as
    if it had never waited, however small the share of the time in which it computes.
    """

    burst_s: Seconds


class MemoryBesideTorch(Record, frozen=True):
    """Bytes in use on a rank's GPU, as the driver sees it, that torch's allocator does not hold.

    `after` is what the process had done by then. Other processes on the GPU are in it.
    """

    after: Literal["layers", "messages", "collectives"]
    rank: Count
    bytes: Bytes


class MeasuredSizes(Record, frozen=True):
    """The layers of a model of one's own, each alone with one micro-batch, without their seconds.

    `in_two_parts`: those of a backward in two parts are among them.
    """

    gradients: Literal["separate", "fused"]
    in_two_parts: bool
    model: ModelProfile
