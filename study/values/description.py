"""A case in words on one line, for plans, progress and summaries."""

from collections.abc import Iterator

from study.case import NEWER, Case, given
from study.models import KINDS
from study.schedules import has_key
from study.text import count_of, one_line
from study.values.placeholders import as_text

LONGEST = 60  # characters of a text that a person chose
HASH_DIGITS = 8  # of a file's sha256 that are shown


def describe(case: Case) -> str:
    """Return what runs with all its sizes: `GPT of 24 blocks, 4 GPUs, dim 1024, 16 heads, …`."""
    model, gpus = model_words(case), count_of(case.gpus, "GPU")
    return ", ".join([model, gpus, *_sizes(case), *_training(case)])


def model_words(case: Case) -> str:
    """Return the model and its depth, or the program: `depth 20`, `GPT of 24 blocks`."""
    if case.kind == "program":
        return cut(given(case.command))
    if case.kind == "linear":
        return f"depth {case.depth}"
    kind = KINDS[case.kind]
    label = cut(given(case.factory)) if case.kind == "factory" else kind.label
    return f"{label} of {count_of(case.depth, kind.depth_unit)}"


def code_of(case: Case) -> str | None:
    """Return the file whose code the case runs, with its hash; None if that is ours."""
    if case.kind != "factory":
        return None
    path = given(case.factory).rpartition(":")[0]
    return one_line(f"{path} (sha256 {given(case.sha256)[:HASH_DIGITS]})")


def cut(text: str) -> str:
    """Return the text on one line, with its middle left out where it is long."""
    line = one_line(text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"


def _sizes(case: Case) -> Iterator[str]:
    if case.has_key("dim"):
        yield f"dim {case.dim}"
    if case.kind == "gpt":
        yield from (f"{case.heads} heads", f"sequence {case.seq_len}", f"vocabulary {case.vocab}")
        yield from ["tied"] if given(case.tied) else []
    if case.kind == "conv":
        yield from (f"width {case.width}", f"image {case.image}", f"{case.classes} classes")
        yield "GroupNorm" if case.norm == "group" else "BatchNorm"
    for name, value in case.arguments.items():
        yield f"{name}={cut(as_text(value))}"
    if case.has_key("batch_size"):
        yield f"batch {case.batch_size}"


def _training(case: Case) -> Iterator[str]:
    if case.is_calibration:
        yield f"calibrates {given(case.calibrates)}"
    elif case.schedule != "naive":
        yield from _schedule(case)
    elif case.has_key("split"):
        yield case.split
    if case.has_key("dtype"):
        yield from (case.dtype, case.optimizer)
        yield from [case.execution] if case.execution != "eager" else []
        yield from ["layers recomputed"] if case.recompute == "layers" else []
    if case.repeat > 1:
        yield f"repeat {case.repeat}"


def _schedule(case: Case) -> Iterator[str]:
    """Yield the schedule and the values of the keys that it has."""
    by_hand = case.balance[0].isdigit()
    of_some = {
        "micro_batches": f"{case.micro_batches} micro-batches",
        "chunks_per_gpu": f"{case.chunks_per_gpu} chunks a GPU",
        "balance": f"{cut(case.balance)} layers a stage"
        if by_hand
        else f"balanced by {case.balance}",
        "gradients": f"{case.gradients} gradients",
        "data_parallel": f"{case.data_parallel} replicas",
    }
    for key, default in NEWER.items():
        if case.value(key) == default:
            of_some.pop(key, None)
    yield case.schedule
    yield from (text for key, text in of_some.items() if has_key(key, case.schedule))
