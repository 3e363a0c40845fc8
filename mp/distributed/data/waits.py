"""Reports to a step's listener: phases, and the waiting for collectives in between."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.autograd import Variable
from torch.utils.hooks import RemovableHandle

from mp.distributed.step_listener import SILENT, StepListener
from study.results.result import Phase


class Waits:
    """The phase of an instrumented step, and the waits that interrupt it."""

    def __init__(self) -> None:
        self.listener: StepListener = SILENT
        self.phase: Phase = "forward"

    def enter(self, phase: Phase) -> None:
        """Begin a phase."""
        self.phase = phase
        self.listener.begin(phase)

    def leave(self) -> None:
        """End the phase, or the wait that came last in it."""
        self.listener.end()

    def begin(self, operation: str) -> None:
        """Begin to wait.

        Args:
            operation: the collective that is waited for.
        """
        self.listener.end()
        self.listener.begin_wait(operation)

    def begin_gather(self, *_: Any) -> None:
        """Begin to wait for a layer to be put together; a hook of a module or of a tensor."""
        self.begin("all-gather")

    def end(self, *_: Any) -> None:
        """Go on with the phase; a hook of a module or of a tensor."""
        self.listener.end()
        self.listener.begin(self.phase)

    def watch_end_of(self, loss: torch.Tensor, operation: str) -> None:
        """Begin to wait when backward of the loss has computed every gradient.

        torch then waits for collectives, in callbacks that backward queues later than this one.

        Args:
            loss: from which backward begins.
            operation: the collectives.
        """
        queue: Any = Variable._execution_engine

        def when_computed(_: torch.Tensor) -> None:
            queue.queue_callback(lambda: self.begin(operation))

        loss.register_hook(when_computed)


def watch_layers(layers: Iterable[nn.Module], waits: Waits) -> list[RemovableHandle]:
    """Report the waits of FSDP's own hooks, by hooks on either side of them.

    FSDP puts a layer together before its forward, and again before its backward, which begins with
    the gradient of its output.

    Args:
        layers: those that FSDP shards.
        waits: told of each.

    Returns:
        The hooks on the layers, to be removed after the step.
    """

    def before(_: nn.Module, __: Any, output: Any) -> None:
        _hook_gradients(output, waits.begin_gather)

    def behind(_: nn.Module, __: Any, output: Any) -> None:
        _hook_gradients(output, waits.end)

    handles = []
    for layer in dict.fromkeys(layers):
        handles += [
            layer.register_forward_pre_hook(waits.begin_gather, prepend=True),
            layer.register_forward_pre_hook(waits.end),
            layer.register_forward_hook(before, prepend=True),
            layer.register_forward_hook(behind),
        ]
    return handles


def _hook_gradients(output: Any, hook: Any) -> None:
    for part in output if isinstance(output, tuple) else (output,):
        if part.requires_grad:
            part.register_hook(hook)
