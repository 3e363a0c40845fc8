"""What may stand in the place of a device: a target that receives the baton in its own way."""

import torch


class BatonTarget(torch.Tensor):
    """An empty tensor on the device that it stands for.

    `x.to(other)` with a tensor is torch's documented way to say "where that tensor is", so a
    model's `x.to(layer_device)` is the same line for a device and for this. Only `.to` is
    intercepted; `receive(x)`, which subclasses define, answers it with x on this target.
    """

    index: int

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is torch.Tensor.to and len(args) == 2 and isinstance(args[1], cls):
            return args[1].receive(args[0])
        return super().__torch_function__(func, types, args, kwargs or {})
