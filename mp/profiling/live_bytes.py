"""Bytes of the tensors that are alive on a device, and the most there were."""

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only


def storage_of(tensor: torch.Tensor) -> int:
    """Return what identifies the storage of a tensor while it is alive."""
    return int(tensor.untyped_storage()._cdata)


class LiveBytes(TorchDispatchMode):
    """Count the bytes of all storages that operations make, from their making to their end.

    What a kernel takes and gives back within one operation is seen on CUDA alone, where torch's
    allocator is asked for the most.

    Args:
        device: where the tensors are.
        already: tensors that were there before; they do not count.
    """

    def __init__(self, device: torch.device, already: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.device = device
        self.known = {storage_of(tensor): tensor.untyped_storage() for tensor in already}
        self.sizes: dict[int, int] = {}
        self.now = self.most = self._start = self._allocated = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        """Run the operation and note what it made."""
        made: object = func(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._see, made)
        return made

    def _see(self, tensor: torch.Tensor) -> torch.Tensor:
        key = storage_of(tensor)
        if key not in self.known and key not in self.sizes and tensor.device == self.device:
            storage = tensor.untyped_storage()
            self.sizes[key] = storage.nbytes()
            self.now += storage.nbytes()
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._forget, key)
        return tensor

    def _forget(self, key: int) -> None:
        self.now -= self.sizes.pop(key)

    def has(self, key: int) -> bool:
        """Return whether the storage is alive."""
        return key in self.sizes or key in self.known

    def begin(self) -> None:
        """Begin a part of which the rise is asked."""
        self._start = self.most = self.now
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._allocated = torch.cuda.memory_allocated(self.device)

    def rise(self) -> int:
        """Return how many bytes more than at its beginning there were, at most, in this part."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) - self._allocated
        return self.most - self._start
