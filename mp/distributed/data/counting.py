"""Counts of the collectives that torch launches for data parallelism, also from C++."""

from typing import Any

from torch.distributed._functional_collectives import AsyncCollectiveTensor
from torch.distributed.tensor import DTensor
from torch.utils._python_dispatch import TorchDispatchMode

from mp.distributed.data.waits import Waits

# The operation of torch's dispatcher: our name of it, and which argument is a rank's own tensor.
OPERATIONS = {
    "c10d::allreduce_": ("all_reduce", 0),
    "c10d::broadcast_": ("broadcast", 0),
    "c10d::_allgather_base_": ("all_gather_into_tensor", 1),
    "c10d::_reduce_scatter_base_": ("reduce_scatter_tensor", 1),
}


class CollectiveCounter(TorchDispatchMode):
    """Reports every collective to a listener, as torch's dispatcher is asked for it.

    Args:
        waits: knows the listener and the phase.
    """

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count what is a collective, and run the operation."""
        if any(issubclass(kind, (DTensor, AsyncCollectiveTensor)) for kind in types):
            return NotImplemented  # first let it say what its parts do
        if (known := OPERATIONS.get(func.name())) is not None:
            name, own = known
            tensors = args[own] if isinstance(args[own], list | tuple) else [args[own]]
            size = sum(tensor.nbytes for tensor in tensors)
            self.waits.listener.on_collective(self.waits.phase, name, size)
        return func(*args, **(kwargs or {}))
