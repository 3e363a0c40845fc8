"""Refuse cases that no machine could run, with the values that one could."""

from typing import Any

from study.case import DEFAULTS, Case, check_value
from study.errors import ConfigError
from study.schedules import ALWAYS, SCHEDULES, equal_rounds, has_key, schedules_with
from study.stages import chunks_of

MAX_SHOWN, MAX_TRIED = 8, 10_000


def make_case(values: dict[str, Any], source: object) -> Case:
    """Return the case with these values.

    Raises:
        ConfigError: a value is none of its key, a key is missing, or they do not go together.
    """
    checked = {key: check_value(key, value, source) for key, value in values.items()}
    missing = [key for key in ("depth", "gpus") if key not in checked]
    if missing:
        raise ConfigError(source, f"{missing[0]}: missing; add it under axes or model")
    case = Case(**checked)
    check_together(case, source)
    return case


def check_together(case: Case, source: object) -> None:
    """Check that the keys of a case, each of them right, go together.

    Raises:
        ConfigError: they do not; with the values that would.
    """
    if case.split == "half" and case.gpus != 2:
        raise ConfigError(
            source, f"gpus: {case.gpus} with split: half, which takes exactly 2; use split: even"
        )
    if case.gpus > case.depth:
        raise ConfigError(
            source,
            f"gpus: {case.gpus} for {case.depth} layers would leave a GPU without a layer; "
            f"use at most {case.depth} GPUs or a greater depth",
        )
    _check_schedule(case, source)
    if case.execution == "cuda_graph" and case.gpus > 1:
        raise ConfigError(
            source,
            f"gpus: {case.gpus} with execution: cuda_graph, which captures the work of exactly 1 "
            "GPU; use execution: eager",
        )


def _check_schedule(case: Case, source: object) -> None:
    _check_keys(case, source)
    if SCHEDULES[case.schedule].family == "tensor" and case.dim % case.gpus:
        raise ConfigError(
            source,
            f"dim: {case.dim} is not divisible by {case.gpus} GPUs, as schedule: {case.schedule} "
            "needs",
        )
    if SCHEDULES[case.schedule].is_pipeline:
        _check_stages(case, source)
        _check_micro_batches(case, source)


def _check_keys(case: Case, source: object) -> None:
    for key, default in DEFAULTS.items():
        given = getattr(case, key)
        if given != default and not has_key(key, case.schedule):
            having = ", ".join(schedules_with(key))
            raise ConfigError(
                source, f"{key}: {given} with schedule: {case.schedule}; it is for {having}"
            )
    if not case.in_processes:
        return
    for key, needed in (("split", "even"), ("execution", "eager")):
        if (given := getattr(case, key)) != needed:
            raise ConfigError(
                source,
                f"{key}: {given} with schedule: {case.schedule}, which takes {key}: {needed}",
            )


def _check_stages(case: Case, source: object) -> None:
    taken = SCHEDULES[case.schedule].chunks
    if chunks_of(case) not in taken:
        most = "or more" if taken.stop == ALWAYS.stop else f"to {taken.stop - 1}"
        takes = f"{taken.start} {most}" if len(taken) > 1 else f"{taken.start}"
        raise ConfigError(
            source,
            f"chunks_per_gpu: {case.chunks_per_gpu} with schedule: {case.schedule}, "
            f"which takes {takes}",
        )
    stages = case.gpus * chunks_of(case)
    if stages > case.depth:
        raise ConfigError(
            source,
            f"depth: {case.depth} layers are fewer than the {stages} stages of {case.gpus} GPUs "
            f"under {case.schedule}; use a greater depth",
        )


def _check_micro_batches(case: Case, source: object) -> None:
    accepts = SCHEDULES[case.schedule].accepts

    def is_taken(m: int) -> bool:
        return case.batch_size % m == 0 and accepts(case.gpus, m)

    if is_taken(case.micro_batches):
        return
    counts = [m for m in range(1, min(case.batch_size, MAX_TRIED) + 1) if is_taken(m)]
    fit = ", ".join(map(str, counts[:MAX_SHOWN])) + (", ..." if counts[MAX_SHOWN:] else "")
    rounds = ", which goes in rounds of equal size" if accepts is equal_rounds else ""
    allowed = f"use {fit}{rounds}" if fit else f"use a batch_size that is a multiple of {case.gpus}"
    raise ConfigError(
        source,
        f"micro_batches: {case.micro_batches} with schedule: {case.schedule}, {case.gpus} GPUs and "
        f"batch_size: {case.batch_size}; {allowed}",
    )
