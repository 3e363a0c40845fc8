"""Weight gradients of nn.Linear, added to `.grad` inside their matrix product, now or later.

autograd makes a tensor of each micro-batch's weight gradient and then adds it to `.grad`. Here one
product does both (`addmm_`), and under zero bubble it waits in a store until its action comes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class _Part:
    """The tensors that give the gradients of one layer's weight and bias, for one micro-batch.

    Attributes:
        layer: whose parameters they are.
        x: its input, (rows, in_features).
        gradient: of its output, (rows, out_features).
    """

    layer: nn.Linear
    x: torch.Tensor
    gradient: torch.Tensor

    def add(self) -> None:
        """Add them to `.grad`, or make it."""
        x, gradient = self.x, self.gradient
        weight, bias = self.layer.weight, self.layer.bias
        if weight.grad is None:
            weight.grad = gradient.t() @ x
        elif weight.grad.is_sparse:  # of an embedding with the same weight
            weight.grad = (gradient.t() @ x).add_(weight.grad)
        else:
            weight.grad.addmm_(gradient.t(), x)
        if _has_gradient(bias):
            if bias.grad is None:
                bias.grad = gradient.sum(0)
            else:
                bias.grad.add_(gradient.sum(0))


@dataclass
class WeightGradients:
    """The weight gradients of one stage's linear layers.

    Outside of `collecting` its layers have the gradients that autograd gives them.
    """

    _parts: dict[int, list[_Part]] = field(default_factory=dict)  # by micro-batch
    _collected: list[_Part] | None = None  # of the backward that runs, where they wait
    _is_collecting: bool = False

    @contextmanager
    def collecting(self, micro_batch: int, *, later: bool) -> Iterator[None]:
        """Take over the weight gradients of the backward that runs inside.

        Args:
            micro_batch: whose backward it is.
            later: whether they wait for `add`; else each is added at once.

        Raises:
            RuntimeError: those of an earlier backward of this micro-batch still wait.
        """
        if micro_batch in self._parts:
            raise RuntimeError(f"weight gradients of micro-batch {micro_batch} were never added")
        self._is_collecting, self._collected = True, [] if later else None
        try:
            yield
            if self._collected is not None:
                self._parts[micro_batch] = self._collected
        finally:
            self._is_collecting, self._collected = False, None

    def add(self, micro_batch: int) -> None:
        """Add the gradients that wait for this micro-batch, and let go of what they are made of.

        Raises:
            KeyError: none wait, or they were added before.
        """
        parts = self._parts.pop(micro_batch)
        with torch.no_grad():
            while parts:
                parts.pop(0).add()

    def take(self, part: _Part) -> bool:
        """Add a part now or keep it for later; return False outside of `collecting`."""
        if not self._is_collecting:
            return False
        if self._collected is None:
            part.add()
        else:
            self._collected.append(part)
        return True

    def take_over(self, module: nn.Module) -> None:
        """Have the linear layers of a module run through this store.

        Those whose own `forward` calls neither nn.Linear's nor another module's stay as they are.
        """
        for layer in module.modules():
            if isinstance(layer, nn.Linear) and not isinstance(layer, _StoredLinear):
                layer.__class__ = _stored(type(layer))  # type: ignore[arg-type]  # types are hashable
            if isinstance(layer, _StoredLinear):
                layer.store = self


class _StoredLinear(nn.Linear):
    """nn.Linear whose weight gradient its store takes over, where it can."""

    store: WeightGradients

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Map (..., in_features) to (..., out_features)."""
        if not _can_take_over(self, input):
            return super().forward(input)
        rows = input.reshape(-1, self.in_features)
        output: torch.Tensor = _Linear.apply(rows, self.weight, self.bias, self, self.store)
        return output.view(*input.shape[:-1], self.out_features)


@cache
def _stored(kind: type[nn.Linear]) -> type[nn.Linear]:
    """Return a class like this one, whose `super().forward` is that of _StoredLinear."""
    bases = (_StoredLinear,) if kind is nn.Linear else (kind, _StoredLinear)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, bases, names)


def _can_take_over(layer: nn.Linear, x: torch.Tensor) -> bool:
    """Return whether the product of this call may be ours: else autograd has its gradients.

    Not where the weight is frozen, computed from others or watched by a hook, and not under
    autocast, torch.compile or torch.func. For the last there is no public question; torch's own
    autograd.Function.apply asks this one, in 2.0 as in 2.13.
    """
    return (
        torch.is_grad_enabled()
        and _has_gradient(layer._parameters.get("weight"))
        and not any(map(_is_watched, layer._parameters.values()))
        and x.dim() > 0
        and (x.is_meta or not torch.is_autocast_enabled(x.device.type))  # meta has none
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )


def _has_gradient(parameter: torch.Tensor | None) -> bool:
    return isinstance(parameter, nn.Parameter) and parameter.requires_grad


def _is_watched(parameter: torch.Tensor | None) -> bool:
    after = getattr(parameter, "_post_accumulate_grad_hooks", None)
    return bool(getattr(parameter, "_backward_hooks", None) or after)


class _Linear(torch.autograd.Function):
    """A linear layer, x (rows, in) to (rows, out), whose weight gradient goes to a store.

    Its output is no view, which a model could not change in place.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        layer: nn.Linear,
        store: WeightGradients,
    ) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.layer, ctx.store = layer, store
        return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,), (x, weight) = gradients, ctx.saved_tensors
        of_x = gradient @ weight if ctx.needs_input_grad[0] else None
        if ctx.store.take(_Part(ctx.layer, x, gradient)):
            return of_x, None, None, None, None
        of_bias = gradient.sum(0) if ctx.needs_input_grad[2] else None
        return of_x, gradient.t() @ x, of_bias, None, None
