"""Layers of one kind, run one after another as a stage runs them."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from msgspec.structs import replace
from torch import nn
from torch.distributed.pipelining._backward import stage_backward_input, stage_backward_weight

from mp.activations import single_tensors
from mp.calibration.shares import keep_share
from mp.calibration.stopwatch import Action
from mp.hardware.precision import converted
from mp.profiling.alone import draw_input, output_of
from mp.profiling.input_gradient import input_gradients
from mp.profiling.likeness import looks_like
from mp.weight_gradients import WeightGradients
from mp.workload import Workload
from study.results.calibration.layers import LayerKind
from study.results.layers import LONGEST_NAME

LAYERS = 4  # of one kind, so that no weight stays in the cache


@dataclass(frozen=True)
class Alike:
    """Layers that are alike, or the loss.

    Attributes:
        entry: names and counts them.
        has_input_gradient: whether backward computes the gradient of their input.
        keeps_shape: whether they can be run one after another.
    """

    entry: LayerKind
    has_input_gradient: bool
    keeps_shape: bool

    @property
    def number(self) -> int | None:
        """The number of the first of them; None of the loss."""
        return self.entry.layers[0] if self.entry.layers else None

    @property
    def most(self) -> int:
        """The number of layers that run one after another."""
        return min(LAYERS, len(self.entry.layers)) if self.keeps_shape else 1


def find_kinds(workload: Workload, rows: int, *, is_pipeline: bool) -> list[Alike]:
    """Return the kinds of layers in the order of their first layers, then the loss.

    Args:
        workload: what is calibrated.
        rows: of any micro-batch.
        is_pipeline: whether it is to be split into stages, each of which gets a gradient.
    """
    names = workload.names()
    activations = single_tensors(workload.activations(rows), names)
    with torch.device("meta"):
        layers = [converted(layer, workload.dtype) for layer in workload.layers()]
    case = replace(workload.case, schedule="gpipe") if is_pipeline else workload.case
    gradients = input_gradients(case, layers)
    found: dict[tuple[object, ...], list[int]] = {}
    for number, layer in enumerate(layers):
        like = activations[number]
        key = looks_like(layer), like.shape, like.dtype, number == 0, gradients[number].is_made
        found.setdefault(key, []).append(number)
    kinds = []
    for numbers in found.values():
        first, layer = numbers[0], layers[numbers[0]]
        ends = [(part.shape, part.dtype) for part in activations[first : first + 2]]
        keeps_shape = first > 0 and ends[0] == ends[1]
        entry = _entry(names[first], numbers, list(layer.parameters()))
        kinds.append(Alike(entry, gradients[first].is_made, keeps_shape))
    return [*kinds, Alike(_entry("loss", [], []), True, False)]


def _entry(name: str, numbers: list[int], parameters: list[nn.Parameter]) -> LayerKind:
    return LayerKind(
        name=name[:LONGEST_NAME],
        layers=tuple(numbers),
        parameters=sum(p.numel() for p in parameters),
        parameter_bytes=sum(p.nbytes for p in parameters),
    )


class Stack:
    """Some layers of one kind, or the loss, with one micro-batch.

    Its actions are those of torch's pipelines: the same functions of autograd, or the store of
    fused gradients.

    Args:
        workload: what is calibrated; its case says whether gradients are fused.
        alike: the kind.
        rows: of the micro-batch.
        device: where they run.
        count: how many layers; an even number of shares.
        shares: over how many GPUs each layer is split; one of the shares is run.
        x: their input; drawn if None.

    Attributes:
        parameters: those that are trained.
    """

    def __init__(
        self,
        workload: Workload,
        alike: Alike,
        rows: int,
        device: torch.device,
        count: int,
        shares: int = 1,
        x: torch.Tensor | None = None,
    ) -> None:
        self.alike, self.count, self.rows = alike, count, rows
        self.store = WeightGradients() if workload.case.gradients == "fused" else None
        self.runs: list[Callable[[torch.Tensor], torch.Tensor]] = []
        self.parameters: list[nn.Parameter] = []
        like = input_like(workload, alike, rows)
        if alike.number is None:
            with torch.device(device):
                target = workload.cast(workload.batch(rows)[1]).to(device)
            self.runs.append(lambda x: workload.loss(x, target))
            self.x = torch.randn(like.shape, dtype=like.dtype, device=device)
        else:
            for place in range(count):
                with torch.device(device):
                    layer = converted(workload.layer(alike.number), workload.dtype, device)
                if shares > 1:
                    layer = keep_share(layer, place, shares)
                if self.store is not None:
                    self.store.take_over(layer)
                self.runs.append(partial(output_of, workload.run_layer, layer))
                self.parameters += [p for p in layer.parameters() if p.requires_grad]
            self.x = draw_input(workload, alike.number, like, device) if x is None else x
        if alike.has_input_gradient and self.x.is_floating_point():
            self.x.requires_grad_(True)
        self.output: torch.Tensor = torch.empty(())
        self.groups: list[dict[str, Any]] = []
        self.forward()
        self.gradient = None if alike.number is None else torch.randn_like(self.output)
        self.learns = self.output.requires_grad

    def forward(self) -> None:
        """Run all layers."""
        x = self.x
        for run in self.runs:
            x = run(x)
        self.output = x

    def own_output(self) -> None:
        """Copy an output that is a view: torch's zero bubble detaches it in place."""
        if self.store is None and self.output._is_view():
            self.output = self.output.clone()

    def backward(self) -> None:
        """Compute all gradients; those of weights are made, or added to those there are."""
        self.x.grad = None  # as in a step, where no gradient of an input stays
        with self.store.collecting(0, later=False) if self.store else nullcontext():
            self.output.backward(self.gradient)

    def input_gradient(self) -> None:
        """Compute the gradient of the input alone."""
        self.x.grad = None
        if self.store is not None:
            with self.store.collecting(0, later=True):
                self.output.backward(self.gradient)
            return
        gradients = None if self.gradient is None else [self.gradient]
        weights = iter(self.parameters)
        _, self.groups = stage_backward_input([self.output], gradients, [self.x], weights)

    def weight(self) -> None:
        """Compute the gradients of the weights, after that of the input."""
        if self.store is not None:
            self.store.add(0)
            return
        stage_backward_weight(iter(self.parameters), self.groups)
        self.groups = []

    def drop_gradients(self) -> None:
        """Forget all gradients, as the start of a step does."""
        for parameter in self.parameters:
            parameter.grad = None

    def try_all(self) -> None:
        """Run forward and backward twice, which may take more memory than there is.

        The second pass takes most: gradients are there from the start, and it makes others to add.
        """
        for _ in range(2 if self.learns else 0):
            self.run_later_pass()
        self.drop_gradients()

    def actions(self, *, in_two_parts: bool) -> list[Action]:
        """Return a round of all actions, each with first and with later micro-batches.

        Args:
            in_two_parts: whether backward in two parts is among them, where the layers have both.
        """
        found: list[Action] = [("forward", self.forward)]
        if not self.learns:
            return found
        found += [("backward_first", self.backward), ("forward", self.forward)]
        found += [("backward_later", self.backward), (None, self.drop_gradients)]
        if in_two_parts and self.parameters and self.x.requires_grad:
            for name in ("weight_first", "weight_later"):
                found += [("forward", self.forward), (None, self.own_output)]
                found += [("input_gradient", self.input_gradient), (name, self.weight)]
            found += [(None, self.drop_gradients)]
        return found

    def later_pass(self) -> list[Action]:
        """Return forward and backward of a later micro-batch."""
        return [("forward", self.forward), ("backward_later", self.backward)]

    def run_later_pass(self) -> None:
        """Run forward and backward of a later micro-batch."""
        for _, action in self.later_pass():
            action()


def input_like(workload: Workload, alike: Alike, rows: int) -> torch.Tensor:
    """Return a tensor without data like the input of layers.

    Args:
        workload: what is calibrated.
        alike: their kind.
        rows: of the micro-batch.
    """
    return _activations(workload, rows)[-1 if alike.number is None else alike.number]


@lru_cache(maxsize=128)  # to run a whole model without data takes a tenth of a second and more
def _activations(workload: Workload, rows: int) -> Sequence[torch.Tensor]:
    return single_tensors(workload.activations(rows), workload.names())
