"""The profile of a model: every layer and the loss, alone, with one micro-batch."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from mp.activations import single_tensors
from mp.hardware.gemm import Product
from mp.hardware.memory import release_cache
from mp.hardware.precision import converted
from mp.profiling.footprint import Footprint, measure_footprint
from mp.profiling.input_gradient import InputGradient, input_gradients
from mp.profiling.layer_seconds import time_layer
from mp.profiling.operations import Operations, count_operations, count_recomputed
from mp.profiling.subject import Subject
from mp.recompute import RunLayer, runner_of
from mp.weight_gradients import WeightGradients
from mp.workload import Workload
from study.results.layers import LONGEST_NAME, MOST_NOTES, LayerProfile, ModelProfile
from study.schedules import IN_TWO_PARTS

MOST_PRODUCTS = 3
OF_EVERY_MODULE = {*vars(nn.Module())} - {"training"}


@dataclass(frozen=True)
class _Parameters:
    """Parameters of a layer: those that count in it, and those that count in an earlier one."""

    parameters: int = 0
    parameter_bytes: int = 0
    shared_bytes: int = 0
    shares_with: int | None = None
    buffer_bytes: int = 0
    frozen_bytes: int = 0


@dataclass(frozen=True)
class _Found:
    operations: Operations
    footprint: Footprint
    forward_s: float
    backward_s: float


def measure_profile(workload: Workload, device: torch.device, rows: int) -> ModelProfile:
    """Return every layer, and the loss, measured with one micro-batch on this device.

    Layers that are alike are measured once. One is on the device at a time.

    Args:
        workload: what the case trains.
        device: a real one.
        rows: of a micro-batch.
    """
    names = workload.names()
    activations = single_tensors(workload.activations(rows), names)
    with torch.device("meta"):
        layers = list(workload.layers())
    found: dict[tuple[object, ...], _Found] = {}
    profiles, unknown, is_held = [], set[str](), True
    own, gradients = _own_parameters(layers, workload.dtype), input_gradients(workload.case, layers)
    for number, (layer, like) in enumerate(zip(layers, activations[:-1], strict=True)):
        key = (_looks_like(layer), like.shape, like.dtype, number == 0, gradients[number], is_held)
        if key not in found:
            found[key] = _measure_layer(workload, number, like, gradients[number], is_held, device)
            if device.type == "cuda":
                release_cache()
        its = found[key]
        is_held = its.footprint.keeps_output
        unknown |= set(its.operations.unknown)
        profiles.append(_entry(names[number], own[number], its))
    loss = _measure_loss(workload, rows, activations[-1], is_held, device)
    release_cache()
    x, target = _batch_bytes(workload, rows)
    return ModelProfile(
        rows=rows,
        input_bytes=x,
        target_bytes=target,
        layers=tuple(profiles),
        loss=_entry("loss", _Parameters(), loss),
        item=workload.item,
        items_per_row=workload.items_per_row,
        unknown_operations=tuple(sorted(name[:LONGEST_NAME] for name in unknown)[:MOST_NOTES]),
    )


def largest_products(workload: Workload, rows: int, device: torch.device) -> list[Product]:
    """Return the largest matrix products of the layers, for a micro-batch of this many rows.

    Args:
        workload: what the case trains.
        rows: of the micro-batch.
        device: where layers run that need data, one at a time.
    """
    if own := workload.products():
        return own
    products: set[Product] = set()
    seen = set()
    activations = single_tensors(workload.activations(rows), workload.names())
    for number, like in enumerate(activations[:-1]):
        with torch.device("meta"):
            layer = converted(workload.layer(number), workload.dtype)
        key = _looks_like(layer), like.shape, number == 0
        if key not in seen:
            seen.add(key)
            products |= _count(workload, number, like, device, number > 0).products
    return sorted(products, key=lambda p: (-p.flops, p.m, p.n, p.k, p.transposed))[:MOST_PRODUCTS]


def _entry(name: str, own: _Parameters, found: _Found) -> LayerProfile:
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


def _own_parameters(layers: list[nn.Module], dtype: torch.dtype) -> list[_Parameters]:
    owner: dict[nn.Parameter, int] = {}
    found = []
    for number, layer in enumerate(layers):
        own = [p for p in layer.parameters() if owner.setdefault(p, number) == number]
        shared = [p for p in layer.parameters() if owner[p] != number]
        size, shared_size = (
            sum(p.numel() * _itemsize(p, dtype) for p in some) for some in (own, shared)
        )
        source = min((owner[p] for p in shared), default=None)
        frozen = sum(p.numel() * _itemsize(p, dtype) for p in own if not p.requires_grad)
        buffers = sum(b.numel() * _itemsize(b, dtype) for b in layer.buffers())
        count = sum(p.numel() for p in own)
        found.append(_Parameters(count, size, shared_size, source, buffers, frozen))
    return found


def _itemsize(parameter: torch.Tensor, dtype: torch.dtype) -> int:
    return dtype.itemsize if parameter.is_floating_point() else parameter.dtype.itemsize


def _looks_like(layer: nn.Module) -> tuple[object, ...]:
    """Return what two layers have in common that do the same on inputs of one shape."""
    settings = tuple(
        (name, type(module).__qualname__, key, _setting(value))
        for name, module in layer.named_modules()
        for key, value in sorted(vars(module).items())
        if key not in OF_EVERY_MODULE
    )
    parameters = tuple((n, p.shape, p.requires_grad) for n, p in layer.named_parameters())
    buffers = tuple((name, buffer.shape, buffer.dtype) for name, buffer in layer.named_buffers())
    return type(layer), repr(layer), settings, parameters, buffers


def _setting(value: object) -> object:
    """Return what is equal for settings that do the same; of what nobody can tell, its identity."""
    if isinstance(value, int | float | bool | str | torch.dtype | torch.Size | type(None)):
        return type(value).__name__, value
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(map(_setting, value))
    if isinstance(value, torch.Tensor):
        return value.shape, value.dtype
    return id(value)


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
) -> _Found:
    with torch.device(device):
        layer = converted(workload.layer(number), workload.dtype, device)
    store = _taken_over(workload, layer)
    subject = Subject(
        run=partial(_output_of, workload.run_layer, layer),
        parameters=list(layer.parameters()),
        buffers=list(layer.buffers()),
        make_input=lambda: _draw(workload, number, like, device),
        has_input_gradient=gradient.is_made,
        holds_input=is_held,
        device=device,
        store=store,
    )
    return _measure(workload, subject, _count(workload, number, like, device, gradient.is_needed))


def _taken_over(workload: Workload, layer: nn.Module) -> WeightGradients | None:
    """Return the store of a layer whose weight gradients are fused, as the case has it."""
    if workload.case.gradients != "fused":
        return None
    store = WeightGradients()
    store.take_over(layer)
    return store


def _output_of(run: RunLayer, layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return the output of a layer that takes and returns one tensor."""
    output = run(layer, x)
    assert isinstance(output, torch.Tensor), "single_tensors refuses tuples"
    return output


def _draw(
    workload: Workload, number: int, like: torch.Tensor, device: torch.device
) -> torch.Tensor:
    if number:
        return torch.randn(like.shape, dtype=like.dtype, device=device)
    with torch.device(device):
        return workload.cast(workload.batch(like.shape[0])[0]).to(device)


def _count(
    workload: Workload,
    number: int,
    like: torch.Tensor,
    device: torch.device,
    has_input_gradient: bool,
) -> Operations:
    """Count the operations of a layer."""

    def count(where: torch.device) -> Operations:
        with torch.device(where):
            layer = converted(workload.layer(number), workload.dtype, where)
        parameters = list(layer.parameters())
        is_meta = where.type == "meta"
        x = torch.empty_like(like) if is_meta else _draw(workload, number, like, where)
        found = count_operations(layer, parameters, x, has_input_gradient)
        if workload.case.recompute == "none" or found.forward is None:
            return found
        _taken_over(workload, layer)
        again = partial(_output_of, runner_of(workload.case, may_draw=False), layer)
        return replace(found, recomputed=count_recomputed(layer, again, parameters, x))

    return _without_data_or_on(device, count)


def _without_data_or_on(
    device: torch.device, count: Callable[[torch.device], Operations]
) -> Operations:
    """Count on the meta device, which takes no memory; where that cannot be, on the real one."""
    try:
        return count(torch.device("meta"))
    except (NotImplementedError, RuntimeError):
        return count(device)


def _measure_loss(
    workload: Workload, rows: int, like: torch.Tensor, is_held: bool, device: torch.device
) -> _Found:
    def count(where: torch.device) -> Operations:
        run = partial(workload.loss, target=_target(workload, rows, where))
        return count_operations(run, [], torch.empty_like(like, device=where).zero_(), True)

    operations, target = _without_data_or_on(device, count), _target(workload, rows, device)
    subject = Subject(
        run=partial(workload.loss, target=target),
        parameters=[],
        buffers=[target],
        make_input=lambda: torch.randn(like.shape, dtype=like.dtype, device=device),
        has_input_gradient=True,
        holds_input=is_held,
        device=device,
    )
    return _measure(workload, subject, operations)


def _target(workload: Workload, rows: int, device: torch.device) -> torch.Tensor:
    with torch.device(device):
        return workload.cast(workload.batch(rows)[1]).to(device)


def _measure(workload: Workload, subject: Subject, operations: Operations) -> _Found:
    seconds = time_layer(subject)
    in_two_parts = workload.case.schedule in IN_TWO_PARTS
    footprint = measure_footprint(subject, in_two_parts=in_two_parts)
    return _Found(operations, footprint, *seconds)
