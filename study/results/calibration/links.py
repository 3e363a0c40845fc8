"""Seconds of messages and collectives, and of computing beside them."""

from typing import Literal

from study.results.calibration.timing import BusyShare, Timing
from study.results.record import Bytes, Count, Seconds


class MessageTime(Timing, frozen=True):
    """A message from one GPU to the next, posted as torch's pipelines post theirs.

    `way`: `from idle` has launching in it; `in a row` is one of many one after another, the time
    on the device; `relay` is a hop of a message that each GPU receives, then sends on; `exchange`
    is a send and a receive of `bytes` at once. `nodes` is on how many nodes the two GPUs lie.
    """

    way: Literal["from idle", "in a row", "relay", "exchange"]
    bytes: Bytes
    nodes: Count


class CollectiveTime(Timing, frozen=True):
    """A collective of `gpus` GPUs; `bytes` are of the whole tensor, be it in parts or not.

    `way`: `from idle` has launching in it; `in a row` is one of many one after another.
    """

    operation: Literal["all_reduce", "all_gather", "reduce_scatter"]
    way: Literal["from idle", "in a row"]
    gpus: Count
    nodes: Count
    bytes: Bytes


class BesideTime(Timing, frozen=True):
    """Forward or backward of layers of one kind while NCCL has a transfer on the same GPU.

    By turns, one of each `beside` a round; `pending receive` is a receive that nobody has sent to
    yet, which waits all the while. `kind` counts `kinds` from 0; `layers` ran one after another.
    """

    beside: Literal["nothing", "pending receive", "receive", "send", "all_reduce"]
    action: Literal["forward", "backward_later"]
    kind: Count
    layers: Count
    rows: Count


class AlternatingTime(Timing, frozen=True):
    """Forward and backward of one layer on a rank's GPU, between all-reduces it waits for.

    An all-reduce of `bytes` in all follows each pass of `layers` of one kind, and takes about as
    long; `busy_share` is the share of the time in which the GPU computes. If the collective draws
    power, the GPU is slowed by its power limit more than if it only waited.
    """

    rank: Count
    kind: Count
    layers: Count
    rows: Count
    gradients: Literal["separate", "fused"]
    bytes: Bytes
    busy_share: BusyShare


class TransferTime(Timing, frozen=True):
    """Messages one after another, with layers beside them for a part of the time, or without.

    `layers_s` is how long layers computed meanwhile on the GPU that receives or sends, 0 without.
    `bytes` are of all messages, `rows` of the layers. Alone, too, they take longer than the layers.
    """

    direction: Literal["receive", "send"]
    bytes: Bytes
    rows: Count
    layers_s: Seconds
