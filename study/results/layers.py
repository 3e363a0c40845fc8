"""The layers of a model, each measured on its own with one micro-batch."""

from typing import Annotated

from msgspec import Meta

from study.results.record import Bytes, Count, Record, Seconds

LONGEST_NAME = 200
MOST_LAYERS = 100_002
MOST_NOTES = 100
Note = Annotated[str, Meta(max_length=2000)]
Name = Annotated[str, Meta(max_length=LONGEST_NAME)]


class LayerProfile(Record, frozen=True):
    """One layer, or the loss, with one micro-batch.

    A parameter that several layers share counts in the first of them. `kept_bytes` is what autograd
    keeps for backward that is neither a parameter nor the layer's input or output; the two flags
    say whether it keeps those. `forward_peak_bytes` and `backward_peak_bytes` are the most that it
    has besides what was there when it began, its output or its output's gradient included;
    `again_peak_bytes` is the latter where its parameters have gradients from a micro-batch before.
    `deferred_bytes` and those below are of a backward in two parts, and null where the schedule has
    none: what waits for the weights' gradients besides `kept_bytes`, whether its output's gradient
    does, and the most of either part. With fused gradients `deferred_bytes` are all that waits but
    the layer's input, `keeps_input_later` says whether that waits, too, and `later_gradient_bytes`
    are of the gradients that come with the second part; `input_again_peak_bytes` is to
    `input_peak_bytes` as `again_peak_bytes` is to `backward_peak_bytes`.

    `shared_bytes` are of parameters that count in the layer `shares_with`; `frozen_bytes` are of
    those that count here and are not trained.

    With `recompute: layers` bytes and seconds are those of a layer that backward runs again, and
    `recomputed_flops` are the operations of that forward; the other operations leave them out.

    Operations count a multiplication and an addition as two; null where
    an operation with parameters is of a kind that nobody counts. Seconds are null where they were
    not measured.
    """

    name: Name
    parameters: Count
    parameter_bytes: Bytes
    output_bytes: Bytes
    kept_bytes: Bytes
    keeps_input: bool
    keeps_output: bool
    forward_flops: Count | None
    input_gradient_flops: Count | None
    weight_gradient_flops: Count | None
    forward_s: Seconds | None
    backward_s: Seconds | None
    forward_peak_bytes: Bytes
    backward_peak_bytes: Bytes
    again_peak_bytes: Bytes
    received_backward_peak_bytes: Bytes
    received_again_peak_bytes: Bytes
    deferred_bytes: Bytes | None = None
    keeps_output_gradient: bool | None = None
    input_peak_bytes: Bytes | None = None
    weight_peak_bytes: Bytes | None = None
    input_again_peak_bytes: Bytes | None = None
    later_gradient_bytes: Bytes | None = None
    keeps_input_later: bool | None = None
    shared_bytes: Bytes = 0
    shares_with: Count | None = None
    buffer_bytes: Bytes = 0
    frozen_bytes: Bytes = 0
    recomputed_flops: Count | None = 0


class ModelProfile(Record, frozen=True):
    """The layers of a model in order, and its loss, for a micro-batch of `rows` rows.

    `item` is what a user counts, e.g. token, of which every row holds `items_per_row`. `notes` say
    how training differs from that of the unsplit model, in sentences. `draws_random` says
    that it draws random numbers, as dropout does. `unknown_operations` are those with parameters
    that nobody counts.
    """

    rows: Count
    input_bytes: Bytes
    target_bytes: Bytes
    layers: Annotated[tuple[LayerProfile, ...], Meta(max_length=MOST_LAYERS)]
    loss: LayerProfile
    item: Name
    items_per_row: Count
    notes: Annotated[tuple[Note, ...], Meta(max_length=MOST_NOTES)] = ()
    draws_random: bool = False
    unknown_operations: Annotated[tuple[Name, ...], Meta(max_length=MOST_NOTES)] = ()
