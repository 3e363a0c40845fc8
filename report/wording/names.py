"""Names of schedules and of the keys of a case."""

from report.wording.units import UNKNOWN, count_of
from study.case import Case
from study.schedules import SCHEDULES, has_key

KEYS = {
    "batch_size": "batch",
    "micro_batches": "micro-batches",
    "chunks_per_gpu": "chunks per GPU",
}
HOW = ("schedule", "micro_batches", "chunks_per_gpu", "balance")


def key_name(key: str) -> str:
    """Return what a key of a case is called in text."""
    return KEYS.get(key, key)


def heading(key: str) -> str:
    """Return what a key of a case is called in the heading of a column."""
    return "GPUs" if key == "gpus" else key_name(key)


def key_text(case: Case, key: str) -> str:
    """Return the value of a key in words; a dash where the case's schedule has no such key."""
    if not has_key(key, case.schedule):
        return UNKNOWN
    value = getattr(case, key)
    return SCHEDULES[value].label if key == "schedule" else str(value)


def gpu_count(case: Case, emulated: bool) -> str:
    """Return the number of GPUs for a cell, marked where they are emulated."""
    return f"{case.gpus} (emulated)" if emulated else str(case.gpus)


def schedule_name(case: Case) -> str:
    """Return the schedule and its settings: `1F1B with 20 micro-batches, balanced by time`."""
    schedule = SCHEDULES[case.schedule]
    name = schedule.label
    if schedule.is_pipeline:
        count = case.micro_batches
        name += f" with {count_of(count, 'micro-batch', 'micro-batches')}"
    if schedule.is_chunked and case.chunks_per_gpu != 2:
        name += f", {case.chunks_per_gpu} chunks a GPU"
    return f"{name}, balanced by time" if case.balance == "time" else name
