"""Logical GPUs: several stand-ins for GPUs that share one real device.

On one real device `x.to(device)` never copies, so a split model would pass no baton. A logical GPU
is therefore a target on the shared device for which `x.to(gpu)` makes a real copy whenever x lies
on another logical GPU, and none when it lies on this one, just as between real GPUs.
"""

import torch

from mp.hardware.baton import BatonTarget


class _BatonCopy(torch.autograd.Function):
    """A copy in forward, and a copy of the gradient back in backward."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.clone()


class _Group:
    """The logical GPUs of one model, and the one that the baton reached last."""

    last = None


class LogicalGPU(BatonTarget):
    """One logical GPU. Make them with `logical_gpus`."""

    group: _Group

    def receive(self, x):
        """x on this logical GPU: itself if it lies here already, else a copy."""
        source = self.home_of(x)
        self.group.last = self
        if source is self:
            return x
        return self.hold(_BatonCopy.apply(x))

    def hold(self, x):
        """Note that x lies on this logical GPU."""
        x.logical_gpu = self
        return x

    def home_of(self, x):
        """The logical GPU of x.

        What was held or received knows its own. Everything else was computed, and computing
        happens where the baton was passed to last.
        """
        return getattr(x, "logical_gpu", self.group.last)

    def __repr__(self):
        return f"logical GPU {self.index}"


def logical_gpus(device: torch.device, count: int) -> list[LogicalGPU]:
    """`count` logical GPUs that share one real device."""
    group = _Group()
    gpus = []
    for index in range(count):
        gpu = torch.empty(0, device=device).as_subclass(LogicalGPU)
        gpu.index, gpu.group = index, group
        gpus.append(gpu)
    return gpus
