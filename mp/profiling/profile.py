"""The profile of a model: every layer and the loss, alone, with one micro-batch."""

from dataclasses import dataclass
from functools import partial

import torch
from msgspec.structs import replace

from mp.activations import single_tensors
from mp.hardware.memory import release_cache
from mp.hardware.precision import converted
from mp.profiling.alone import count_layer, draw_input, output_of, taken_over, without_data_or_on
from mp.profiling.footprint import Footprint, measure_footprint
from mp.profiling.input_gradient import InputGradient, input_gradients
from mp.profiling.layer_seconds import run_once, time_layer
from mp.profiling.likeness import looks_like
from mp.profiling.operations import Operations, count_operations
from mp.profiling.parameters import Parameters, own_parameters
from mp.profiling.subject import Subject
from mp.workload import Workload
from study.results.layers import LONGEST_NAME, MOST_NOTES, LayerProfile, ModelProfile
from study.schedules import IN_TWO_PARTS


@dataclass(frozen=True)
class _Found:
    operations: Operations
    footprint: Footprint
    forward_s: float | None
    backward_s: float | None


@dataclass(frozen=True)
class _How:
    in_two_parts: bool
    is_timed: bool


def measure_profile(
    workload: Workload,
    device: torch.device,
    rows: int,
    *,
    schedule: str | None = None,
    is_timed: bool = True,
) -> ModelProfile:
    """Return every layer, and the loss, measured with one micro-batch on this device.

    Layers that are alike are measured once. One is on the device at a time.

    Args:
        workload: what the case trains.
        device: a real one.
        rows: of a micro-batch.
        schedule: under which layers run; None is that of the case.
        is_timed: whether seconds are measured; else they are null.
    """
    case = workload.case if schedule is None else replace(workload.case, schedule=schedule)
    how = _How(case.schedule in IN_TWO_PARTS, is_timed)
    names = workload.names()
    activations = single_tensors(workload.activations(rows), names)
    with torch.device("meta"):
        layers = list(workload.layers())
    found: dict[tuple[object, ...], _Found] = {}
    profiles, unknown, is_held = [], set[str](), True
    own, gradients = own_parameters(layers, workload.dtype), input_gradients(case, layers)
    for number, (layer, like) in enumerate(zip(layers, activations[:-1], strict=True)):
        key = (looks_like(layer), like.shape, like.dtype, number == 0, gradients[number], is_held)
        if key not in found:
            found[key] = _measure_layer(
                workload, number, like, gradients[number], is_held, device, how
            )
            if device.type == "cuda":
                release_cache()
        its = found[key]
        is_held = its.footprint.keeps_output
        unknown |= set(its.operations.unknown)
        profiles.append(_entry(names[number], own[number], its))
    loss = _measure_loss(workload, rows, activations[-1], is_held, device, how)
    release_cache()
    x, target = _batch_bytes(workload, rows)
    return ModelProfile(
        rows=rows,
        input_bytes=x,
        target_bytes=target,
        layers=tuple(profiles),
        loss=_entry("loss", Parameters(), loss),
        item=workload.item,
        items_per_row=workload.items_per_row,
        unknown_operations=tuple(sorted(name[:LONGEST_NAME] for name in unknown)[:MOST_NOTES]),
    )


def _entry(name: str, own: Parameters, found: _Found) -> LayerProfile:
    operations = found.operations
    return LayerProfile(
        name=name[:LONGEST_NAME],
        forward_flops=operations.forward,
        input_gradient_flops=operations.input_gradient,
        weight_gradient_flops=operations.weight_gradient,
        recomputed_flops=operations.recomputed,
        forward_s=found.forward_s,
        backward_s=found.backward_s,
        **vars(own),
        **vars(found.footprint),
    )


def _batch_bytes(workload: Workload, rows: int) -> tuple[int, int]:
    with torch.device("meta"):
        x, target = (workload.cast(part) for part in workload.batch(rows))
    return x.nbytes, target.nbytes


def _measure_layer(
    workload: Workload,
    number: int,
    like: torch.Tensor,
    gradient: InputGradient,
    is_held: bool,
    device: torch.device,
    how: _How,
) -> _Found:
    with torch.device(device):
        layer = converted(workload.layer(number), workload.dtype, device)
    store = taken_over(workload, layer)
    subject = Subject(
        run=partial(output_of, workload.run_layer, layer),
        parameters=list(layer.parameters()),
        buffers=list(layer.buffers()),
        make_input=lambda: draw_input(workload, number, like, device),
        has_input_gradient=gradient.is_made,
        holds_input=is_held,
        device=device,
        store=store,
    )
    return _measure(subject, count_layer(workload, number, like, device, gradient.is_needed), how)


def _measure_loss(
    workload: Workload,
    rows: int,
    like: torch.Tensor,
    is_held: bool,
    device: torch.device,
    how: _How,
) -> _Found:
    def count(where: torch.device) -> Operations:
        run = partial(workload.loss, target=_target(workload, rows, where))
        return count_operations(run, [], torch.empty_like(like, device=where).zero_(), True)

    operations, target = without_data_or_on(device, count), _target(workload, rows, device)
    subject = Subject(
        run=partial(workload.loss, target=target),
        parameters=[],
        buffers=[target],
        make_input=lambda: torch.randn(like.shape, dtype=like.dtype, device=device),
        has_input_gradient=True,
        holds_input=is_held,
        device=device,
    )
    return _measure(subject, operations, how)


def _target(workload: Workload, rows: int, device: torch.device) -> torch.Tensor:
    with torch.device(device):
        return workload.cast(workload.batch(rows)[1]).to(device)


def _measure(subject: Subject, operations: Operations, how: _How) -> _Found:
    forward_s: float | None = None
    backward_s: float | None = None
    if how.is_timed:
        forward_s, backward_s = time_layer(subject)
    else:
        run_once(subject)
    footprint = measure_footprint(subject, in_two_parts=how.in_two_parts)
    return _Found(operations, footprint, forward_s, backward_s)
