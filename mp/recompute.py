"""Layers that keep their input alone, and run again in backward: torch.utils.checkpoint."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from mp.activations import Activation
from study.case import Case

RunLayer = Callable[[nn.Module, Activation], Activation]


def run_layer(layer: nn.Module, x: Activation) -> Activation:
    """Return the output of a layer, which keeps for backward what it needs."""
    output: Activation = layer(x)
    return output


def runner_of(case: Case, *, may_draw: bool) -> RunLayer:
    """Return how the layers of a case are run.

    Args:
        case: says whether they run again in backward.
        may_draw: whether a layer may draw random numbers. Then the state of torch's generators is
            kept with each input, so that the second run draws the same.
    """
    return run_layer if case.recompute == "none" else partial(_run_twice, may_draw=may_draw)


def _run_twice(layer: nn.Module, x: Activation, *, may_draw: bool) -> Activation:
    """Run a layer of which backward gets what it needs from a second run, up to its last use."""
    is_tuple = isinstance(x, tuple)

    def run(*parts: torch.Tensor) -> Activation:
        return run_layer(layer, parts if is_tuple else parts[0])

    contexts: dict[str, Any] = {}
    if any(True for _ in layer.buffers()):
        contexts["context_fn"] = lambda: (nullcontext(), _kept_buffers(layer))
    parts = x if isinstance(x, tuple) else (x,)
    output: Activation = checkpoint(
        run, *parts, use_reentrant=False, preserve_rng_state=may_draw, **contexts
    )
    return output


@contextmanager
def _kept_buffers(layer: nn.Module) -> Iterator[None]:
    """Put buffers back at the end: the statistics of BatchNorm count a batch once."""
    buffers = list(layer.buffers())
    with torch.no_grad():
        before = [buffer.clone() for buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, kept in zip(buffers, before, strict=True):
                buffer.copy_(kept)
