"""The layers of a model, each measured on its own with one micro-batch."""

from typing import Annotated

from msgspec import Meta

from study.results.record import Bytes, Count, Record, Seconds

LONGEST_NAME = 200
MOST_LAYERS = 100_002
Name = Annotated[str, Meta(max_length=LONGEST_NAME)]


class LayerProfile(Record, frozen=True):
    """One layer, or the loss, with one micro-batch.

    A parameter that several layers share counts in the first of them. `kept_bytes` is what autograd
    keeps for backward that is neither a parameter nor the layer's input or output; the two flags
    say whether it keeps those. Operations count a multiplication and an addition as two; null where
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


class ModelProfile(Record, frozen=True):
    """The layers of a model in order, and its loss, for a micro-batch of `rows` rows.

    `item` is what a user counts, e.g. token, of which every row holds `items_per_row`. `notes` say
    how training differs from that of the unsplit model, in sentences.
    """

    rows: Count
    input_bytes: Bytes
    target_bytes: Bytes
    layers: Annotated[tuple[LayerProfile, ...], Meta(max_length=MOST_LAYERS)]
    loss: LayerProfile
    item: Name
    items_per_row: Count
    notes: tuple[str, ...] = ()
