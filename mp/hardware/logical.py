"""Logical GPUs: several stand-ins for GPUs that share one real device.

On one real device `x.to(device)` never copies, so a split model would pass no baton. A logical GPU
is therefore a target on the shared device for which `x.to(gpu)` makes a real copy whenever x lies
on another logical GPU, and none when it lies on this one, just as between real GPUs.
"""

from typing import Any

import torch


class BatonTarget(torch.Tensor):
    """A device stand-in whose `.to` is intercepted: an empty tensor on the device it stands for.

    `x.to(other)` with a tensor is torch's documented way to say "where that tensor is", so a
    model's `x.to(layer_device)` is the same line for a device and for this. Nothing else is
    intercepted.

    Attributes:
        gpu: the GPU's number (0 .. gpus-1).
    """

    gpu: int

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.to and len(args) == 2 and isinstance(args[1], cls):
            return args[1].receive(args[0])
        return super().__torch_function__(func, types, args, kwargs or {})

    def receive(self, x: torch.Tensor) -> torch.Tensor:
        """Return x on this target."""
        raise NotImplementedError

    def hold(self, x: torch.Tensor) -> torch.Tensor:
        """Note that x lies on this target."""
        return x


class _BatonCopy(torch.autograd.Function):
    """A copy in forward, and a copy of the gradient back in backward."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient.clone()


class _Group:
    """The logical GPUs of one model, and the one that the baton reached last."""

    last: "LogicalGPU | None" = None


class LogicalGPU(BatonTarget):
    """One logical GPU. Make them with `logical_gpus`."""

    group: _Group

    def receive(self, x: torch.Tensor) -> torch.Tensor:
        """Return x itself if it lies on this logical GPU already, else a copy on it."""
        source = self.home_of(x)
        self.group.last = self
        if source is self:
            return x
        return self.hold(_BatonCopy.apply(x))

    def hold(self, x: torch.Tensor) -> torch.Tensor:
        """Note that x lies on this logical GPU."""
        x.logical_gpu = self  # type: ignore[attr-defined]
        return x

    def home_of(self, x: torch.Tensor) -> "LogicalGPU | None":
        """Return the logical GPU of x.

        What was held or received knows its own. Everything else was computed, and computing
        happens where the baton was passed to last.
        """
        return getattr(x, "logical_gpu", self.group.last)

    def __repr__(self) -> str:  # type: ignore[override]
        return f"logical GPU {self.gpu}"


def logical_gpus(device: torch.device, count: int) -> list[LogicalGPU]:
    """Make `count` logical GPUs that share one real device."""
    group = _Group()
    gpus = []
    for number in range(count):
        gpu = torch.empty(0, device=device).as_subclass(LogicalGPU)
        gpu.gpu, gpu.group = number, group
        gpus.append(gpu)
    return gpus
