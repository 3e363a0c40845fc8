"""Refuse cases that no machine could run, with the values that one could."""

from typing import Any

from study.case import Case, given
from study.errors import ConfigError
from study.models import KINDS, UNSET_KEYS, absent_model_keys, kinds_with
from study.quoting import quoted
from study.schedules import (
    ALWAYS,
    IN_TWO_PARTS,
    SCHEDULES,
    absent_keys,
    equal_rounds,
    schedules_with,
)
from study.stages import chunks_of
from study.text import count_of
from study.values.calibrates import parse_calibrates
from study.values.completion import complete
from study.values.keys import DEFAULTS, check_value
from study.values.placeholders import command_words

MAX_SHOWN, MAX_TRIED = 8, 10_000
LEAST_BLOCKS = 4  # of a ResNet: one for each of its groups


def make_case(values: dict[str, Any], source: object) -> Case:
    """Return the case with these values.

    Raises:
        ConfigError: a value is none of its key, a key is missing, or they do not go together.
    """
    values = complete(values, source)
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
    _check_kind(case, source)
    if case.is_calibration:
        parse_calibrates(given(case.calibrates), source)
        return  # the keys of its schedule mean nothing
    _check_replicas(case, source)
    if case.split == "half" and case.gpus != 2:
        raise ConfigError(
            source, f"gpus: {case.gpus} with split: half, which takes exactly 2; use split: even"
        )
    is_whole = SCHEDULES[case.schedule].family == "data"  # on every GPU
    if case.pipeline_gpus > case.layers and case.kind != "program" and not is_whole:
        raise ConfigError(
            source,
            f"gpus: {case.gpus} for {count_of(case.layers, 'layer')} would leave a GPU without a "
            f"layer; use at most {count_of(case.layers * case.data_parallel, 'GPU')} or a greater "
            "depth",
        )
    _check_schedule(case, source)
    _check_recompute(case, source)
    _check_execution(case, source)


def _check_execution(case: Case, source: object) -> None:
    """Refuse a CUDA graph of what no graph of a process can hold.

    DDP reads on the host which parameters a model of one's own has used. A layer that runs again
    and may draw random numbers has the state of their generator read, which a graph forbids.
    """
    if case.execution == "eager":
        return
    why = None
    if case.schedule == "naive" and case.gpus > 1:
        why = f"gpus: {case.gpus} with schedule: naive, of which a graph holds exactly 1 GPU"
    elif case.schedule == "ddp" and case.kind == "factory":
        why = "schedule: ddp and kind: factory, whose unused parameters DDP looks for on the host"
    elif case.recompute == "layers" and case.kind == "factory":
        why = (
            "recompute: layers and kind: factory, whose layers may draw random numbers again from "
            "a state that no graph can read"
        )
    if why is not None:
        raise ConfigError(source, f"execution: cuda_graph with {why}; use execution: eager")


def _check_kind(case: Case, source: object) -> None:
    """Check what its kind of model needs, and that it has no value of another's keys."""
    kind = KINDS[case.kind]
    for key in kind.keys:
        if key in UNSET_KEYS and case.value(key) is None:
            raise ConfigError(source, f"{key}: missing for kind: {case.kind}; add it")
    for key in absent_model_keys(case.kind) - {"depth"}:
        if (given := case.value(key)) != DEFAULTS[key]:
            having = ", ".join(kinds_with(key))
            raise ConfigError(
                source, f"{key}: {quoted(given)} with kind: {case.kind}; it is for {having}"
            )
    if SCHEDULES[case.schedule].family not in kind.schedules:
        having = ", ".join(s for s in SCHEDULES if SCHEDULES[s].family in kind.schedules)
        raise ConfigError(
            source, f"schedule: {case.schedule} with kind: {case.kind}, which takes {having}"
        )
    names = [name for name, _ in case.value("args") or ()]
    if names != sorted(set(names)):
        raise ConfigError(source, f"args: {quoted(names)} are not sorted, or one is there twice")
    _check_sizes(case, source)
    if case.kind == "program":
        command_words(case, source)


def _check_sizes(case: Case, source: object) -> None:
    """Check the sizes of the built-in kinds of models, and what torch cannot do with them."""
    if case.kind == "gpt" and case.dim % case.value("heads"):
        raise ConfigError(
            source, f"heads: {case.heads} do not divide dim: {case.dim}; use a divisor of it"
        )
    if case.kind == "conv" and case.depth < LEAST_BLOCKS:
        raise ConfigError(
            source, f"depth: {case.depth} with kind: conv, which takes {LEAST_BLOCKS} and more"
        )
    is_split = case.schedule == "naive" and case.gpus > 1 and not case.is_calibration
    if case.value("tied") and is_split:
        raise ConfigError(
            source,
            f"tied: true with schedule: naive on {case.gpus} GPUs; a shared weight lies on one "
            "GPU there, so use a pipeline, or tied: false",
        )


def _check_replicas(case: Case, source: object) -> None:
    """Check that the replicas of a pipeline get equally many GPUs, and two of them at least."""
    count, gpus = case.data_parallel, case.gpus
    if count == 1 or not SCHEDULES[case.schedule].is_pipeline:
        return  # of others it is no key
    if count == gpus:
        raise ConfigError(
            source,
            f"data_parallel: {count} with gpus: {gpus} leaves each pipeline 1 GPU, which is no "
            "pipeline; use schedule: ddp",
        )
    if gpus % count:
        fit = [str(n) for n in range(1, max(1, gpus // 2) + 1) if gpus % n == 0]
        raise ConfigError(
            source,
            f"data_parallel: {count} with gpus: {gpus}, which it does not divide; use "
            f"{', '.join(fit)}",
        )


def _check_recompute(case: Case, source: object) -> None:
    """Refuse layers that run again where they would run more than twice.

    torch's backward in two parts calls torch.autograd.grad for the inputs and once more for each
    weight, and a layer runs again in every call. Fused gradients need one backward alone.
    """
    if case.recompute == "none" or case.gradients == "fused":
        return
    if case.schedule in IN_TWO_PARTS:
        raise ConfigError(
            source,
            f"recompute: layers with schedule: {case.schedule}, whose backward in parts would run "
            "a layer again for its input and for each weight; use gradients: fused, another "
            "schedule, or recompute: none",
        )


def _check_schedule(case: Case, source: object) -> None:
    _check_keys(case, source)
    if SCHEDULES[case.schedule].family == "tensor" and case.dim % case.gpus:
        raise ConfigError(
            source,
            f"dim: {case.dim} is not divisible by {case.gpus} GPUs, as schedule: {case.schedule} "
            f"needs; use a multiple of {case.gpus}",
        )
    if SCHEDULES[case.schedule].family == "data" and case.batch_size % case.gpus:
        raise ConfigError(
            source,
            f"batch_size: {case.batch_size} is not divisible by {case.gpus} GPUs, as schedule: "
            f"{case.schedule} needs; use a multiple of {case.gpus}",
        )
    if SCHEDULES[case.schedule].is_pipeline:
        _check_stages(case, source)
        _check_micro_batches(case, source)


def _check_keys(case: Case, source: object) -> None:
    absent = absent_keys(case.schedule)
    for key in (key for key in DEFAULTS if key in absent):
        given = case.value(key)
        if given != DEFAULTS[key]:
            having = ", ".join(schedules_with(key))
            raise ConfigError(
                source, f"{key}: {given} with schedule: {case.schedule}; it is for {having}"
            )
    if not case.in_processes:
        return
    if case.split != "even":
        raise ConfigError(
            source,
            f"split: {case.split} with schedule: {case.schedule}, which takes split: even",
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
    stages = case.pipeline_gpus * chunks_of(case)
    if stages > case.layers:
        verb = "is" if case.layers == 1 else "are"
        raise ConfigError(
            source,
            f"depth: {count_of(case.layers, 'layer')} {verb} fewer than the {stages} stages of "
            f"{count_of(case.pipeline_gpus, 'GPU')} under {case.schedule}; use a greater depth",
        )
    counts = case.balance.split(",")
    if case.balance[0].isdigit() and (len(counts), sum(map(int, counts))) != (stages, case.layers):
        raise ConfigError(
            source,
            f"balance: {case.balance} has {count_of(len(counts), 'stage')} and "
            f"{count_of(sum(map(int, counts)), 'layer')}; this case has {stages} and "
            f"{case.layers}; use {count_of(stages, 'number')} with a sum of {case.layers}",
        )


def _other_batch_size(case: Case) -> str:
    """Return the batches that can be cut, where this one cannot, into all micro-batches."""
    accepts, m = SCHEDULES[case.schedule].accepts, case.micro_batches
    taken = m if accepts(case.pipeline_gpus, m) else case.pipeline_gpus  # which all schedules take
    others = "" if taken == m else f"micro_batches: {taken} and "
    return f"use {others}a batch_size that is a multiple of {taken * case.data_parallel}"


def _check_micro_batches(case: Case, source: object) -> None:
    accepts = SCHEDULES[case.schedule].accepts

    def is_taken(m: int) -> bool:
        shares = m * case.data_parallel
        return case.batch_size % shares == 0 and accepts(case.pipeline_gpus, m)

    if is_taken(case.micro_batches):
        return
    counts = [m for m in range(1, min(case.batch_size, MAX_TRIED) + 1) if is_taken(m)]
    fit = ", ".join(map(str, counts[:MAX_SHOWN])) + (", ..." if counts[MAX_SHOWN:] else "")
    rounds = ", which goes in rounds of equal size" if accepts is equal_rounds else ""
    allowed = f"use {fit}{rounds}" if fit else _other_batch_size(case)
    of = f", data_parallel: {case.data_parallel}" if case.data_parallel > 1 else ""
    raise ConfigError(
        source,
        f"micro_batches: {case.micro_batches} with schedule: {case.schedule}, {case.gpus} GPUs{of} "
        f"and batch_size: {case.batch_size}; {allowed}",
    )
