"""The conditions of the best: whether the model fits on one GPU, as a copy for each needs it to."""

from predict.memory.parts import ELEMENT_BYTES, OPTIMIZER_STATES
from report.answers.of_model.tried import Counts, gpus_words
from report.data.measured import MeasuredCase
from report.wording.units import data_size
from study.results.sizes import parameter_bytes, trained_bytes

FULL = "ran out of memory"
UNASKED = "The table has no case of DDP, which keeps the whole model on every GPU."


def on_one_gpu(counts: Counts) -> str:
    """Return `The model fits on one GPU. `, or what is known; empty without a case on one."""
    if 1 in counts.fits:
        return "The model fits on one GPU. "
    if 1 in counts.full and not counts.has_other_end(1):
        return f"On one GPU every case that was tried {FULL}; "
    if 1 in counts.full:
        return f"On one GPU no case was measured, and some {FULL}; "
    return "On one GPU no case was measured; " if _asks_for_one(counts) else ""


def of_data_parallelism(counts: Counts) -> list[str]:
    """Return what became of DDP, which copies the model to every GPU, and of FSDP."""
    found = [*_ddp(counts), *_fsdp(counts)]
    if _asks_for_one(counts):
        return found
    first, *others = found
    if first != UNASKED:
        return ["The table has no case on one GPU.", *found]
    return [first.replace("no case of DDP", "no case on one GPU and none of DDP"), *others]


def _asks_for_one(counts: Counts) -> bool:
    return any(one.case.gpus == 1 for one in counts.tried)


def _ddp(counts: Counts) -> list[str]:
    ran, full = _counts_of("ddp", counts)
    whole = "DDP, which keeps the whole model on every GPU,"
    if ran and full:
        return [f"{whole} fits on {gpus_words(ran)} and {FULL} on {gpus_words(full)}."]
    if ran and 1 in counts.full:
        return [f"{whole} fits on {gpus_words(ran)}: each trains only its part of the batch."]
    if ran:
        return ["DDP needs room for the whole model on every GPU."]
    if full:
        return [f"{whole} {FULL} on {gpus_words(full)}."]
    if too_large := _too_large(counts.results):
        return [f"{whole} cannot run: {too_large}."]
    if _has(counts, "ddp"):
        return [f"{whole} has no measurement."]
    return [UNASKED]


def _fsdp(counts: Counts) -> list[str]:
    ran, full = _counts_of("fsdp", counts)
    shards = "FSDP, which keeps a shard of every parameter on each GPU,"
    if full:
        fits = f"fits on {gpus_words(ran)} and " if ran else ""
        return [f"{shards} {fits}{FULL} on {gpus_words(full)}."]
    return ["With FSDP each GPU keeps a shard of every parameter."] if ran else []


def _counts_of(schedule: str, counts: Counts) -> tuple[list[int], list[int]]:
    """Return the numbers of GPUs on which the schedule ran, and those on which memory was full.

    One GPU shares nothing, and is not among them.
    """
    mine = [one for one in counts.tried if one.case.schedule == schedule and one.case.gpus > 1]
    ran = {one.case.gpus for one in mine if one.measured is not None}
    full = {one.case.gpus for one in mine if one.outcome == "oom_gpu"} - ran
    return sorted(ran), sorted(full)


def _has(counts: Counts, schedule: str) -> bool:
    return any(one.case.schedule == schedule and one.case.gpus > 1 for one in counts.tried)


def _too_large(results: list[MeasuredCase]) -> str:
    """Say that what every copy of the model needs is more than a GPU has; empty where it is not."""
    sizes = [gpu.total_memory_bytes for r in results for gpu in r.environment.gpus]
    known = [size for size in sizes if size is not None]
    if not known or len(known) < len(sizes) or any(r.case.gpus == 1 for r in results):
        return ""
    needed, room = min(map(_state_bytes, results)), max(known)
    if needed <= room:
        return ""
    return (
        f"parameters, gradients and the optimizer's state take {data_size(needed)}, and a GPU has "
        f"{data_size(room)}"
    )


def _state_bytes(result: MeasuredCase) -> int:
    """Return the bytes that a copy holds while the optimizer works, whatever the batch."""
    case, model = result.case, result.model
    of_the_optimizer = OPTIMIZER_STATES[case.optimizer]
    if model is None:
        weights = ELEMENT_BYTES[case.dtype] * case.depth * case.dim * (case.dim + 1)
        return weights * (2 + of_the_optimizer)
    layers = list(range(len(model.layers)))
    trained = trained_bytes(model, layers)
    return parameter_bytes(model, layers) + trained * (1 + of_the_optimizer)
