"""Time of the host: steps of layers so small that launching them is all that takes time."""

from typing import Annotated, Literal

from msgspec import Meta

from study.case import Kind
from study.results.calibration.timing import Timing
from study.results.record import Count, Record, Seconds

MOST_STEPS = 1_000
HostKind = Literal[
    "forward",
    "backward",
    "input_gradient",
    "weight_gradient",
    "scaling",
    "optimizer",
    "before",
    "first",
    "between",
]


class HostAction(Timing, frozen=True):
    """Seconds of the host in one action, of all GPUs and steps together.

    `per_step` is how many a GPU has in a step, at most. `before` is once in a step: the time until
    the first action. `first` is that action, a forward, which is among the others, too; it takes
    longer, and calibrations of before do not have it. `between` is once in a step, too: the time in
    none of the others, for sends and receives and for the loop of the schedule. Under zero bubble
    with separate gradients `backward` is that of the first stage, which torch computes as its
    weight gradients, and its input gradients, which take no time, are in `between`; calibrations
    without `before` have both among the others.
    """

    kind: HostKind
    per_step: Count


class HostRun(Record, frozen=True):
    """Steps of tiny layers under one schedule, with all processes at once.

    `actions` are those of a pipeline. DDP and FSDP have forward, backward and optimizer, each once
    in a step; of another schedule the whole step is all that is known.
    `messages` is the number of sends and receives of the GPU that has most. Each of `step_times_s`
    is as long as its slowest process took.

    `kind` is the kind of model that they were layers of. Those of a GPT and a ResNet are embedding
    or stem, blocks, and head or classifier, all of which `layers_per_gpu` counts.
    """

    schedule: str
    gradients: Literal["separate", "fused"]
    gpus: Count
    micro_batches: Count
    layers_per_gpu: Count
    messages: Count
    actions: tuple[HostAction, ...]
    step_times_s: Annotated[tuple[Seconds, ...], Meta(min_length=1, max_length=MOST_STEPS)]
    kind: Kind = "linear"
