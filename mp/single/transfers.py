"""Counts of what one training step was seen to move between GPUs, not what it should move."""

from collections import Counter
from typing import Any

import msgspec
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from mp.engine import sum_transfers
from mp.hardware.devices import Devices
from mp.single.step import TrainingStep
from study.results.result import PairTransfers, Phase, Transfers


class TransferCounter(TorchFunctionMode):
    """Counts the moves of every `Tensor.to` in a forward pass, and those of their gradients.

    A call moved data if its result lies in other memory than its argument. What layers and
    the loss call themselves does not count.

    Args:
        devices: the GPUs.
        layers: of the model, in order.
    """

    def __init__(self, devices: Devices, layers: nn.ModuleList) -> None:
        super().__init__()
        self.devices = devices
        self.calls, self.layer, self.count, self.within = 0, 0, len(layers), False
        self.hooks = [
            hook
            for layer in set(layers)
            for hook in (
                layer.register_forward_pre_hook(self._enter),
                layer.register_forward_hook(self._leave),
            )
        ]
        self.moved_before_layers: list[int] = []
        self.moves: Counter[tuple[int, int, Phase]] = Counter()
        self.bytes: Counter[tuple[int, int, Phase]] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.Tensor.to or self.within or self.layer == self.count:
            return func(*args, **(kwargs or {}))
        source = self.devices.index_of(args[0])
        moved = func(*args, **(kwargs or {}))
        self._saw(args[0], moved, source, self.devices.index_of(moved))
        return moved

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for hook in self.hooks:
            hook.remove()

    def _enter(self, *call: Any) -> None:
        self.within = True

    def _leave(self, *call: Any) -> None:
        self.within, self.layer = False, self.layer + 1

    def _saw(self, before: torch.Tensor, after: torch.Tensor, source: int, target: int) -> None:
        self.calls += 1
        if before.data_ptr() == after.data_ptr():
            return
        if self.layer not in self.moved_before_layers:
            self.moved_before_layers.append(self.layer)
        self._count(source, target, "forward", after)
        if after.grad_fn is not None:
            after.grad_fn.register_hook(
                lambda inputs, outputs: self._saw_gradient(target, source, outputs[0], inputs[0])
            )

    def _saw_gradient(
        self, source: int, target: int, before: torch.Tensor | None, after: torch.Tensor | None
    ) -> None:
        if before is None or after is None:
            return
        if before.data_ptr() != after.data_ptr():
            self._count(source, target, "backward", after)

    def _count(self, source: int, target: int, phase: Phase, tensor: torch.Tensor) -> None:
        self.moves[source, target, phase] += 1
        self.bytes[source, target, phase] += tensor.nbytes


def observe_transfers(step: TrainingStep, devices: Devices) -> Transfers:
    """Train one step and count its moves. Bytes are those of the tensors moved."""
    counter = TransferCounter(devices, step.model.layers)
    with counter:
        step.forward()
    step.backward()
    devices.synchronize()
    pairs = [
        PairTransfers(source=s, target=t, phase=p, moves=n, bytes=counter.bytes[s, t, p])
        for (s, t, p), n in sorted(counter.moves.items())
    ]
    transfers = sum_transfers(pairs, counter.moved_before_layers)
    return msgspec.structs.replace(transfers, to_calls_per_forward=counter.calls)
