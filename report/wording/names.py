"""Names of schedules, of kinds of models, and of the keys of a case and their values."""

import hashlib

from report.wording.units import UNKNOWN, count_of
from study.case import ARGUMENT, Case
from study.models import KINDS
from study.schedules import SCHEDULES
from study.stages import replica_of

KEYS = {
    "batch_size": "batch",
    "micro_batches": "micro-batches",
    "chunks_per_gpu": "chunks per GPU",
    "gradients": "weight gradients",
    "data_parallel": "replicas",
    "kind": "model",
    "seq_len": "tokens a row",
    "vocab": "vocabulary",
    "tied": "tied weights",
    "image": "image size",
    "sha256": "file",
}
HOW = ("schedule", "micro_batches", "chunks_per_gpu", "balance", "gradients", "data_parallel")
EXECUTIONS = {"eager": "eager steps", "cuda_graph": "CUDA graphs"}
HASH = 8  # digits of a file's hash that tell versions apart
LONGEST = 60  # characters of a value in a cell


def key_name(key: str) -> str:
    """Return what a key of a case is called in text; an argument's is that of a grid file."""
    return KEYS.get(key, key)


def heading(key: str) -> str:
    """Return what a key of a case is called in the heading of a column."""
    return "GPUs" if key == "gpus" else key_name(key)


def key_text(case: Case, key: str) -> str:
    """Return the value of a key in words; a dash where the case has no such key."""
    if key == "kind":
        return KINDS[case.kind].label
    return value_text(key, case.value(key)) if case.has_key(key) else UNKNOWN


def setting_text(case: Case, key: str) -> str:
    """Return a key with its value in words: `dim 4096`, `CUDA graphs`."""
    if key == "execution" and case.has_key(key):
        return EXECUTIONS[case.execution]
    return f"{key_name(key)} {key_text(case, key)}"


def value_text(key: str, value: object) -> str:
    """Return a value of a key in words: a schedule's name, `true`, a long text's beginning."""
    if key == "schedule":
        return SCHEDULES[str(value)].label
    if key == "kind":
        return KINDS[str(value)].label
    if key == "sha256":
        return str(value)[:HASH]
    if isinstance(value, bool):
        return str(value).lower()
    return _short(str(value))


def _short(text: str) -> str:
    """Cut a long text, and end it with a mark of all of it: two texts stay two."""
    if len(text) <= LONGEST:
        return text
    mark = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:6]
    return f"{text[:LONGEST]}… ({mark})"


def gpu_count(case: Case, emulated: bool) -> str:
    """Return the number of GPUs for a cell, marked where they are emulated."""
    return f"{case.gpus} (emulated)" if emulated else str(case.gpus)


def gpu_name(case: Case, gpu: int) -> str:
    """Return the number of a GPU, with its replica where there are several: `3, replica 1`."""
    return f"{gpu}, replica {replica_of(case, gpu)}" if case.data_parallel > 1 else str(gpu)


def gpus_of_stages(case: Case, first: int) -> str:
    """Return the GPUs with the same stages as this one of the first replica: `2 and 3`."""
    last = first + case.data_parallel - 1
    if last == first:
        return str(first)
    return f"{first} {'and' if last == first + 1 else 'to'} {last}"


def balance_words(balance: str) -> str:
    """Return how stages were cut: `balanced by time`, `cut by hand (7,7,6,4)`."""
    if balance[:1].isdigit():
        return f"cut by hand ({_short(balance)})"
    return f"balanced by {'FLOPs' if balance == 'flops' else balance}"


def schedule_name(case: Case) -> str:
    """Return the schedule and its settings: `1F1B with 20 micro-batches, balanced by time`."""
    schedule = SCHEDULES[case.schedule]
    name = schedule.label
    if schedule.is_pipeline:
        count = case.micro_batches
        name += f" with {count_of(count, 'micro-batch', 'micro-batches')}"
    if case.data_parallel > 1:
        name += f" in each of {case.data_parallel} replicas"
    if schedule.is_chunked and case.chunks_per_gpu != 2:
        name += f", {case.chunks_per_gpu} chunks a GPU"
    if case.balance != "layers":
        name += f", {balance_words(case.balance)}"
    return name if case.gradients == "separate" else f"{name}, {gradients_words(case.gradients)}"


def schedule_in_text(case: Case) -> str:
    """Return the same for running text: `1F1B (20 micro-batches, balanced by time)`.

    Of one setting it stays `1F1B with 20 micro-batches`.
    """
    name = schedule_name(case)
    label, _, settings = name.partition(" with ")
    return f"{label} ({settings})" if "," in settings else name


def settings_of_each(case: Case) -> str:
    """Return what several schedules have in common: `20 micro-batches each`; empty without any."""
    settings = schedule_name(case).partition(" with ")[2]
    return f"each with {settings}" if "," in settings else f"{settings} each" if settings else ""


def outcome_words(outcome: str) -> str:
    """Return how a case ended, in words: `out of memory on a GPU`, `cancelled`."""
    full = {"oom_gpu": "out of memory on a GPU", "oom_host": "out of memory on the host"}
    return full.get(outcome, outcome.replace("_", " "))


def gradients_words(gradients: str) -> str:
    """Return how weight gradients are added up: `fused weight gradients`."""
    return f"{gradients} weight gradients"


def begun(text: str) -> str:
    """Return text as the start of a sentence; the name of an argument stays as its user wrote it.

    Only the first letter changes.
    """
    return text if text.startswith(ARGUMENT) else f"{text[0].upper()}{text[1:]}"
