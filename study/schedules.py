"""What each schedule of a split model takes: its keys, and how many stages and micro-batches.

The rules are those of torch.distributed.pipelining (torch 2.11 to 2.13), which runs the pipelines.
"""

from functools import cache
from typing import TYPE_CHECKING

from study.errors import ConfigError

if TYPE_CHECKING:
    from study.case import Case

PIPELINES = ("gpipe", "1f1b", "interleaved_1f1b", "zero_bubble", "zbv")
CHUNKED = ("interleaved_1f1b", "zbv")  # a GPU holds several runs of layers
IN_ROUNDS = ("interleaved_1f1b", "zero_bubble")  # micro-batches go in rounds of equal size
MAX_SHOWN, MAX_TRIED = 8, 10_000

# Which schedules have a key at all; a key that is not here, all of them have.
_SCHEDULES_OF = {
    "micro_batches": PIPELINES,
    "chunks_per_gpu": CHUNKED,
    "balance": PIPELINES,
}


def has_key(key: str, schedule: str) -> bool:
    """Whether a schedule has this key of a case."""
    return key not in absent_keys(schedule)


@cache
def absent_keys(schedule: str) -> frozenset[str]:
    """The keys of a case that a schedule does not have."""
    return frozenset(key for key, having in _SCHEDULES_OF.items() if schedule not in having)


def chunks_of(case: "Case") -> int:
    """How many stages each GPU holds."""
    return case.chunks_per_gpu if case.schedule in CHUNKED else 1


def gpu_of_stage(case: "Case") -> list[int]:
    """The GPU of each stage: round after round, or, for zbv, down and up again as a V."""
    down = list(range(case.gpus))
    if case.schedule == "zbv":
        return [*down, *reversed(down)]
    return down * chunks_of(case)


def accepts(case: "Case", micro_batches: int) -> bool:
    """Whether the pipeline runs with so many micro-batches."""
    if case.batch_size % micro_batches:
        return False
    if case.schedule == "gpipe":
        return True
    if micro_batches < case.gpus:
        return False
    rounds = micro_batches // case.gpus
    return case.schedule not in IN_ROUNDS or micro_batches % rounds == 0


def check_schedule(case: "Case", source: object) -> None:
    """Refuse what the case's schedule cannot run.

    Raises:
        ConfigError: with the values that it takes.
    """
    _check_keys(case, source)
    if case.schedule == "tensor" and case.dim % case.gpus:
        raise ConfigError(
            source,
            f"dim: {case.dim} is not divisible by {case.gpus} GPUs, as schedule: tensor needs",
        )
    if case.schedule in PIPELINES:
        _check_stages(case, source)
        _check_micro_batches(case, source)


def _check_keys(case: "Case", source: object) -> None:
    for key, value in {"micro_batches": 1, "chunks_per_gpu": 2, "balance": "layers"}.items():
        given = getattr(case, key)
        if given != value and not has_key(key, case.schedule):
            having = ", ".join(_SCHEDULES_OF[key])
            raise ConfigError(
                source, f"{key}: {given} with schedule: {case.schedule}; it is for {having}"
            )
    if case.schedule == "naive":
        return
    for key, needed in (("split", "even"), ("execution", "eager")):
        if (given := getattr(case, key)) != needed:
            raise ConfigError(
                source,
                f"{key}: {given} with schedule: {case.schedule}, which takes {key}: {needed}",
            )


def _check_stages(case: "Case", source: object) -> None:
    chunks = case.chunks_per_gpu
    if case.schedule == "zbv" and chunks != 2:
        raise ConfigError(source, f"chunks_per_gpu: {chunks} with schedule: zbv, which takes 2")
    if case.schedule == "interleaved_1f1b" and chunks < 2:
        raise ConfigError(
            source, "chunks_per_gpu: 1 with schedule: interleaved_1f1b; use 2 or more, or 1f1b"
        )
    stages = case.gpus * chunks_of(case)
    if stages > case.depth:
        raise ConfigError(
            source,
            f"depth: {case.depth} layers are fewer than the {stages} stages of {case.gpus} GPUs "
            f"under {case.schedule}; use a greater depth",
        )


def _check_micro_batches(case: "Case", source: object) -> None:
    if accepts(case, case.micro_batches):
        return
    counts = [m for m in range(1, min(case.batch_size, MAX_TRIED) + 1) if accepts(case, m)]
    fit = ", ".join(map(str, counts[:MAX_SHOWN])) + (", ..." if counts[MAX_SHOWN:] else "")
    rounds = ", which goes in rounds of equal size" if case.schedule in IN_ROUNDS else ""
    allowed = f"use {fit}{rounds}" if fit else f"use a batch_size that is a multiple of {case.gpus}"
    raise ConfigError(
        source,
        f"micro_batches: {case.micro_batches} with schedule: {case.schedule}, {case.gpus} GPUs and "
        f"batch_size: {case.batch_size}; {allowed}",
    )
