"""A layer or the loss as it is run alone, among the tensors that it would have around it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mp.profiling.live_bytes import LiveBytes, storage_of
from mp.weight_gradients import WeightGradients

Run = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Subject:
    """A layer or the loss as it is run.

    Attributes:
        run: maps the input to the output.
        parameters: those that it has.
        buffers: its other tensors.
        make_input: makes an input on the device.
        has_input_gradient: whether backward computes the gradient of the input.
        holds_input: whether the input lives on whatever this one does: the batch, or what the
            layer before keeps as its output.
        device: where it runs.
        store: takes over the weight gradients of its linear layers; None leaves them to autograd.
    """

    run: Run
    parameters: list[nn.Parameter]
    buffers: list[torch.Tensor]
    make_input: Callable[[], torch.Tensor]
    has_input_gradient: bool
    holds_input: bool
    device: torch.device
    store: WeightGradients | None = None

    def collecting(self) -> AbstractContextManager[None]:
        """Return what a backward runs in, whose weight gradients are added at once."""
        return self.store.collecting(0, later=False) if self.store else nullcontext()

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return an input that nobody else holds, and the scalar from which it is made."""
        scalar = torch.zeros((), device=self.device, requires_grad=self.has_input_gradient)
        made = _Made.apply(scalar, self.make_input) if self.has_input_gradient else None
        return (self.make_input() if made is None else made), scalar

    def drop_gradients(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None


class _Made(torch.autograd.Function):
    """An input with a gradient, which nobody holds but the layer: no leaf, made as it is asked."""

    @staticmethod
    def forward(ctx: Any, scalar: torch.Tensor, make: Callable[[], torch.Tensor]) -> torch.Tensor:
        ctx.device = scalar.device
        return make()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return torch.zeros((), device=ctx.device), None


class _End(torch.autograd.Function):
    """A scalar whose backward makes the output's gradient, as the layer behind would."""

    @staticmethod
    def forward(ctx: Any, output: torch.Tensor) -> torch.Tensor:
        ctx.like = output.shape, output.dtype, output.device
        return torch.zeros((), device=output.device)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        shape, dtype, device = ctx.like
        return torch.ones(shape, dtype=dtype, device=device)


def run_forward(
    subject: Subject, live: LiveBytes, *, holds_input: bool
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...], dict[str, Any]]:
    """Run forward; return its end, the tensors that must live on, and its bytes.

    Args:
        subject: the layer or the loss.
        live: counts.
        holds_input: whether the input is one of those.
    """
    before = live.now
    x, scalar = subject.draw()
    x_bytes, x_key = x.untyped_storage().nbytes(), storage_of(x)
    live.begin()
    y = subject.run(x)
    rise = live.rise()
    y_bytes, y_key = y.untyped_storage().nbytes(), storage_of(y)
    is_view = y_key == x_key
    y_bytes = y.nbytes if is_view else y_bytes
    end = _End.apply(y) if y.requires_grad else torch.zeros((), device=subject.device)
    holder = (x, scalar) if holds_input else (scalar,)
    del x, y
    keeps_output = live.has(y_key) and not is_view
    keeps_input = live.has(x_key)
    held = live.now - before - end.nbytes - scalar.nbytes
    held -= x_bytes * keeps_input + y_bytes * keeps_output
    found = {
        "output_bytes": y_bytes,
        "kept_bytes": max(0, held),
        "keeps_input": keeps_input,
        "keeps_output": keeps_output,
        "forward_peak_bytes": rise,
    }
    return end, holder, found
