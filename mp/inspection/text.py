"""The text of an inspection: layers, cuts, memory, and what is refused."""

import json
from collections.abc import Sequence
from statistics import mean

import torch

from mp.inspection.memory import gpu_bytes, memory_words
from mp.inspection.refusals import GPUS, micro_batches_of
from study.balance import balanced_map, even_map, stage_costs
from study.case import Case
from study.results.costs import BALANCES, known_costs
from study.results.layers import LayerProfile, ModelProfile
from study.schedules import SCHEDULES
from study.text import one_line

MOST_ROWS, AT_EACH_END = 60, 25
MOST_STAGES_SHOWN = 8
GIB, MIB, MB, MFLOP, MS = 2**30, 2**20, 1e6, 1e6, 1e-3
Table = list[Sequence[str]]


def describe(
    case: Case, profile: ModelProfile, device: torch.device, refusals: list[str], notes: list[str]
) -> str:
    """Return all that was found of a model.

    Args:
        case: of the model.
        profile: of its layers.
        device: that it was measured on.
        refusals: in words.
        notes: on what its code changes.
    """
    what = one_line(str(case.factory)) if case.kind == "factory" else case.kind
    parameters = sum(layer.parameters for layer in profile.layers)
    where = f"{device} with {torch.get_num_threads()} threads" if device.type == "cpu" else device
    parts = [
        f"{what}: {case.layers} layers, {parameters:,} parameters, {case.dtype}. Each layer was "
        f"measured alone with {profile.rows} rows on {where}; a row holds "
        f"{profile.items_per_row:,} {profile.item}{'s' * (profile.items_per_row != 1)}.\n",
        _aligned(_layer_rows(profile)),
        "Slowest stage over the mean of all, and layers of each stage, by what is balanced "
        "(1.00 is even; the cost is the time measured here):\n",
        _aligned(_cut_rows(profile)),
        f"Predicted peak memory of each GPU, balance: layers, batch {case.batch_size}, "
        f"{case.optimizer}. {memory_words(case)}\n",
        _aligned(_memory_rows(case, profile)),
        _listed("Refused", refusals, "Nothing is refused on 1, 2, 4 and 8 GPUs."),
        _listed("Notes", [*profile.notes, *notes, *_unknown(profile)], ""),
        _next(case),
    ]
    return "\n".join(part for part in parts if part)


def _layer_rows(profile: ModelProfile) -> Table:
    head = ("", "layer", "parameters", "output MB", "kept MB", "forward MFLOP", "backward MFLOP",
            "forward ms", "backward ms")  # fmt: skip
    rows = [(str(i), *_of_layer(layer)) for i, layer in enumerate(profile.layers)]
    if (left_out := len(rows) - 2 * AT_EACH_END) > MOST_ROWS - 2 * AT_EACH_END:
        more = ("", f"… {left_out:,} more layers", *[""] * 7)
        rows = [*rows[:AT_EACH_END], more, *rows[-AT_EACH_END:]]
    return [head, *rows, ("", *_of_layer(profile.loss))]


def _of_layer(layer: LayerProfile) -> tuple[str, ...]:
    backward = [layer.input_gradient_flops, layer.weight_gradient_flops]
    known = [flops for flops in backward if flops is not None]
    return (
        layer.name,
        f"{layer.parameters:,}",
        _number(layer.output_bytes / MB),
        _number(layer.kept_bytes / MB),
        "unknown" if layer.forward_flops is None else _number(layer.forward_flops / MFLOP),
        "unknown" if len(known) < len(backward) else _number(sum(known) / MFLOP),
        "" if layer.forward_s is None else _number(layer.forward_s / MS),
        "" if layer.backward_s is None else _number(layer.backward_s / MS),
    )


def _cut_rows(profile: ModelProfile) -> Table:
    seconds = known_costs(profile, "time")
    rows: Table = [("GPUs", *BALANCES)]
    for gpus in GPUS[1:]:
        if gpus > len(profile.layers) or seconds is None:
            continue
        rows.append((str(gpus), *(_cut(profile, balance, gpus, seconds) for balance in BALANCES)))
    return rows


def _cut(profile: ModelProfile, balance: str, gpus: int, seconds: list[float]) -> str:
    stages = stages_by(profile, balance, gpus)
    if stages is None:
        return "unknown"
    its = stage_costs(seconds, stages)
    counts = ",".join(str(stages.count(stage)) for stage in range(gpus))
    return f"{max(its) / mean(its):.2f} ({counts})" if mean(its) else f"({counts})"


def stages_by(profile: ModelProfile, balance: str, gpus: int) -> list[int] | None:
    """Return the stage of every layer by a balance; None where a cost is unknown.

    Args:
        profile: of the model.
        balance: layers, parameters, flops or time.
        gpus: how many stages.
    """
    count = len(profile.layers)
    if balance == "layers":
        return even_map(count, gpus)
    costs = known_costs(profile, balance)
    return None if costs is None else balanced_map(costs, gpus)


def _memory_rows(case: Case, profile: ModelProfile) -> Table:
    rows: Table = [("schedule", "GPUs", "micro-batches", "memory of each GPU")]
    for gpus in GPUS:
        m, count = micro_batches_of(case, gpus), case.data_parallel
        tried = {"naive": ("naive", gpus, 1)}
        if gpus > count and gpus % count == 0:
            name = f"1f1b, {count} replicas" if count > 1 else "1f1b"
            tried[name] = "1f1b", gpus // count, m
        for words, (schedule, stages, parts) in tried.items():
            if stages <= len(profile.layers):
                sizes = gpu_bytes(case, profile, gpus, schedule, parts)
                rows.append((words, str(gpus), str(parts), _sizes(sizes)))
        rows += _data_parallel_rows(case, profile, gpus)
    return rows


def _data_parallel_rows(case: Case, profile: ModelProfile, gpus: int) -> Table:
    """Return a row for DDP and one for FSDP, where the GPUs can share the batch equally."""
    if gpus == 1 or case.batch_size % gpus:
        return []
    rows: Table = []
    for schedule in (name for name, its in SCHEDULES.items() if its.family == "data"):
        sizes = gpu_bytes(case, profile, gpus, schedule, 1)
        rows.append((schedule, str(gpus), "1", f"{_sizes(sizes)} each"))
    return rows


def _sizes(sizes: list[int]) -> str:
    unit, name = (GIB, "GiB") if max(sizes) > GIB else (MIB, "MiB")
    return f"{'  '.join(_number(size / unit) for size in sizes)} {name}"


def _unknown(profile: ModelProfile) -> list[str]:
    names = ", ".join(profile.unknown_operations)
    return [f"FLOPs of these operations are unknown: {names}."] if names else []


def _next(case: Case) -> str:
    if case.kind != "factory":
        return ""
    args = ", ".join(f"{name}: {json.dumps(value)}" for name, value in case.arguments.items())
    return (
        f'In a grid: model: {{factory: "{one_line(str(case.factory))}", depth: {case.depth}, '
        f"batch_size: {case.batch_size}{f', args: {{{args}}}' if args else ''}}}\n"
    )


def _listed(title: str, lines: list[str], otherwise: str) -> str:
    if not lines:
        return f"{otherwise}\n" if otherwise else ""
    return f"{title}:\n" + "".join(f"- {line}\n" for line in lines)


def _number(value: float) -> str:
    """Return three significant digits."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.001 else "< 0.001"


def _aligned(rows: Table) -> str:
    """Return rows with columns of equal width; the first two to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines) + "\n"
