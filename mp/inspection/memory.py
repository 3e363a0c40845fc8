"""Estimate the memory of each GPU from a model's profile, before anything runs on several."""

from dataclasses import dataclass

from study.results.layers import LayerProfile, ModelProfile
from study.results.sizes import parameter_bytes, trained_bytes

OPTIMIZER_STATES = {"sgd": 0, "adam": 2}  # tensors of a parameter's size
LEFT_OUT = (
    "Not in these figures: buffers for what GPUs send one another, workspaces of cuBLAS and cuDNN, "
    "the optimizer's temporary tensors, and the few hundred MB of CUDA itself."
)


@dataclass(frozen=True)
class Batch:
    """A batch on its way through the GPUs.

    Attributes:
        rows: of a micro-batch; of the whole batch for naive model parallelism.
        in_flight: micro-batches that the first GPU holds at most; every next one holds one less.
        micro_batches: how many there are.
    """

    rows: int
    in_flight: int
    micro_batches: int


def gpu_bytes(
    profile: ModelProfile, stage_of_layer: list[int], batch: Batch, optimizer: str
) -> list[int]:
    """Return an estimate of each GPU's peak: weights, gradients, optimizer, activations.

    Args:
        profile: of the model; bytes of activations are scaled to the rows of the batch.
        stage_of_layer: the GPU of every layer.
        batch: how it goes through the GPUs.
        optimizer: `sgd` or `adam`.
    """
    last = stage_of_layer[-1]
    found = []
    for stage in range(last + 1):
        mine = [number for number, its in enumerate(stage_of_layer) if its == stage]
        trained = trained_bytes(profile, mine)
        static = parameter_bytes(profile, mine) + trained * (1 + OPTIMIZER_STATES[optimizer])
        kept = kept_bytes(profile, mine, is_last=stage == last)
        layers = [profile.layers[number] for number in mine]
        computed = [*layers, *([profile.loss] if stage == last else [])]
        working = max(_backward_bytes(layer, batch) for layer in computed)
        ends = profile.input_bytes * (stage == 0) + profile.target_bytes * (stage == last)
        held = max(1, min(batch.in_flight - stage, batch.micro_batches))
        moving = kept * held + working + ends * batch.micro_batches
        found.append(static + moving * batch.rows // profile.rows)
    return found


def data_parallel_bytes(
    profile: ModelProfile, gpus: int, rows: int, optimizer: str, *, is_sharded: bool
) -> int:
    """Return an estimate of the peak of each GPU, which trains the whole model on its own rows.

    Args:
        profile: of the model; bytes of activations are scaled to the rows.
        gpus: how many there are.
        rows: of each GPU's part of the batch.
        optimizer: `sgd` or `adam`.
        is_sharded: whether a GPU keeps shards of parameters, as with FSDP, or all, as with DDP.
    """
    numbers = list(range(len(profile.layers)))
    trained = trained_bytes(profile, numbers)
    static = parameter_bytes(profile, numbers) + trained * (1 + OPTIMIZER_STATES[optimizer])
    if is_sharded:
        static = static // gpus + _whole_bytes(profile)
    working = max(layer.again_peak_bytes for layer in (*profile.layers, profile.loss))
    moving = kept_bytes(profile, numbers, is_last=True) + working
    moving += profile.input_bytes + profile.target_bytes
    return static + moving * rows // profile.rows


def _whole_bytes(profile: ModelProfile) -> int:
    """Return the most that FSDP holds whole in backward: two layers, and the gradients of two.

    Layers that share a parameter are whole from the first of them to the last.
    """
    sizes = [layer.parameter_bytes for layer in profile.layers]
    trained = [layer.parameter_bytes - layer.frozen_bytes for layer in profile.layers]
    sharing = {layer.shares_with for layer in profile.layers if layer.shares_with is not None}
    before, after = [0, *sizes], [*trained[1:], 0]
    each = map(sum, zip(sizes, trained, before, after, strict=False))
    return max(each) + 2 * sum(sizes[number] for number in sharing)


def _backward_bytes(layer: LayerProfile, batch: Batch) -> int:
    """Return the most of a layer's backward, which adds to gradients of micro-batches before."""
    return layer.backward_peak_bytes if batch.micro_batches == 1 else layer.again_peak_bytes


def kept_bytes(profile: ModelProfile, mine: list[int], *, is_last: bool) -> int:
    """Return the bytes that a run of layers keeps of one micro-batch until its backward.

    Args:
        profile: of the model.
        mine: numbers of the layers, which follow one another.
        is_last: True if the loss is computed behind them.
    """
    layers = [profile.layers[number] for number in mine]
    behind = [*layers[1:], *([profile.loss] if is_last else [])]
    total = sum(layer.kept_bytes for layer in layers)
    if mine[0] > 0 and layers[0].keeps_input:
        total += profile.layers[mine[0] - 1].output_bytes
    for number, layer in enumerate(layers):
        needed = behind[number].keeps_input if number < len(behind) else False
        total += layer.output_bytes * (layer.keeps_output or needed)
    return total + (profile.loss.kept_bytes + profile.loss.output_bytes if is_last else 0)
