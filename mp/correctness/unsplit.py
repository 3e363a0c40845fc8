"""The unsplit model: all layers in one piece on one GPU, fed the micro-batches one by one.

It runs on the kind of device that the split runs on: rounding alone, which differs between a GPU
and a CPU, turns gradients of deep nets upside down where a value is close to ReLU's corner.
"""

from dataclasses import dataclass

import torch
from torch import nn

from mp.activations import Activation, Shape, each_part, outputs_of, shape_in_words, shape_of
from mp.correctness.dropout import has_dropout, without_dropout
from mp.engine import Gradients, Tensors, gradients_of
from mp.hardware.precision import converted
from mp.workload import Workload
from study.errors import CaseError


@dataclass(frozen=True)
class Unsplit:
    """The unsplit model after forward and backward.

    Attributes:
        layers: in order.
        names: of the layers.
        loss: the mean over the micro-batches.
        gradients: of all micro-batches together, by layer.
        buffers: of each layer, afterwards; a set for each replica.
        unequal: a parameter that has a gradient of some parts only, in words; None without one.
        outputs: of each micro-batch, the input and the output of every layer, without graph.
        has_dropout: whether dropout was switched off for it.
    """

    layers: list[nn.Module]
    names: list[str]
    loss: torch.Tensor
    gradients: Gradients
    buffers: list[Gradients]
    outputs: list[list[Activation]]
    has_dropout: bool
    unequal: str | None = None


def compute_unsplit(
    workload: Workload, micro_batches: int, device: torch.device, replicas: int = 1
) -> Unsplit:
    """Train forward and backward in one piece, as a schedule of so many micro-batches does.

    Args:
        workload: what the case trains.
        micro_batches: into which the batch is cut.
        device: where it is drawn and runs.
        replicas: of a model that take equally many of them, each with buffers of its own.

    Returns:
        Loss, gradients and buffers of the same layers, on the CPU; outputs on the device.

    Raises:
        CaseError: a layer returns what no split can pass on, or other shapes from call to call.
    """
    drawn, names = workload.draw_model(device), workload.names()
    layers = [converted(layer, torch.float32, device) for layer in drawn]
    x, target = workload.draw_batch(workload.case.batch_size, device)
    expected = [shape_of(like) for like in workload.activations(len(x) // micro_batches)]
    losses, outputs, buffers = [], [], list[Gradients]()
    before = [buffers_of(layer) for layer in layers] if replicas > 1 else []
    has_gradient, seen = _watch_gradients(layers), list[set[int]]()
    with without_dropout(layers):
        parts = zip(x.chunk(micro_batches), target.chunk(micro_batches), strict=True)
        for number, (rows, aims) in enumerate(parts):
            if number % (micro_batches // replicas) == 0:
                _set_buffers(layers, before)
                buffers.append({})
            has_gradient.clear()
            outputs.append(outputs_of(layers, rows, names))
            _check_shapes(names, expected, outputs[-1])
            losses.append(_loss(workload, outputs[-1][-1], aims))
            losses[-1].backward()
            seen.append(set(has_gradient))
            buffers[-1] = {n: buffers_of(layer) for n, layer in enumerate(layers)}
            outputs[-1] = [each_part(output, torch.Tensor.detach) for output in outputs[-1]]
    for parameter in dict.fromkeys(p for layer in layers for p in layer.parameters()):
        if parameter.grad is not None:
            parameter.grad.div_(micro_batches)
    return Unsplit(
        layers,
        names,
        torch.stack([loss.detach() for loss in losses]).mean().cpu(),
        {number: gradients_of(layer) for number, layer in enumerate(layers)},
        buffers,
        outputs,
        has_dropout(layers),
        _find_unequal(layers, names, seen),
    )


def buffers_of(layer: nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of each buffer, in float32 on the CPU."""
    return {name: _in_float32(buffer.detach()).cpu() for name, buffer in layer.named_buffers()}


def _watch_gradients(layers: list[nn.Module]) -> set[int]:
    """Return a set to which backward adds the identity of every parameter that gets a gradient."""
    found = set[int]()
    for parameter in dict.fromkeys(p for layer in layers for p in layer.parameters()):
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(lambda p: found.add(id(p)))
    return found


def _find_unequal(layers: list[nn.Module], names: list[str], seen: list[set[int]]) -> str | None:
    """Return the first parameter that has a gradient of some parts only; None if there is none."""
    some = set[int]().union(*seen) - seen[0].intersection(*seen)
    for layer, name in zip(layers, names, strict=True):
        for parameter_name, parameter in layer.named_parameters():
            if id(parameter) in some:
                return f"{name}: {parameter_name}"
    return None


def _set_buffers(layers: list[nn.Module], values: list[Tensors]) -> None:
    """Set the buffers of layers; without values leave them as they are."""
    for layer, kept in zip(layers, values, strict=False):
        for name, buffer in layer.named_buffers():
            value = torch.view_as_complex(kept[name]) if buffer.is_complex() else kept[name]
            buffer.detach().copy_(value)


def _in_float32(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy; of a complex number its real and its imaginary part."""
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).float().clone()


def _check_shapes(names: list[str], expected: list[Shape], outputs: list[Activation]) -> None:
    for name, shape, output in zip(names, expected[1:], outputs[1:], strict=True):
        if (found := shape_of(output)) != shape:
            raise CaseError(
                f"{name} returns {shape_in_words(found)} once and {shape_in_words(shape)} another "
                "time, of as many rows; a split needs shapes that do not depend on the data"
            )


def _loss(workload: Workload, output: Activation, target: torch.Tensor) -> torch.Tensor:
    loss = workload.loss(output, target)
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise CaseError("the loss is no tensor with one number; return the mean over the rows")
    if not loss.requires_grad:
        raise CaseError("no parameter on which the loss depends is trained; leave one unfrozen")
    return loss
