"""Floating-point operations of a layer's forward and backward, by torch's own registry.

torch's FlopCounterMode cannot be used: its module hooks break a backward in two parts. Layers run
on the meta device, where nothing is computed, and attention as matrix products: so the count is
the same wherever the case runs.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from mp.hardware.gemm import Product
from mp.profiling.live_bytes import storage_of
from mp.profiling.subject import Run

aten = torch.ops.aten
COPIES = {aten._to_copy, aten.clone, aten.contiguous}
# Operations on parameters of two dimensions and more that have no product.
WITHOUT_PRODUCTS = COPIES | {aten.embedding, aten.embedding_dense_backward, aten.copy_,
                             aten.index, aten.index_select, aten.gather, aten.cat, aten.stack,
                             aten.split, aten.split_with_sizes, aten.unbind, aten.zeros_like,
                             aten.ones_like, aten.empty_like, aten.linalg_vector_norm,
                             aten._weight_norm_interface, aten.embedding_renorm_,
                             aten.constant_pad_nd}  # fmt: skip
PRODUCTS = {aten.mm: 0, aten.addmm: 1, aten.bmm: 0, aten.baddbmm: 1}  # where the first operand is
Transposed = Literal["left", "right", "neither"]


@dataclass(frozen=True)
class Operations:
    """Operations of one layer or of the loss; null where one with parameters has no known count.

    Attributes:
        forward: of forward.
        input_gradient: of the gradient of the input.
        weight_gradient: of the gradients of the parameters.
        recomputed: of a forward that backward runs again, counted in none of the others.
        unknown: names of operations with parameters of which nobody knows the count.
        products: the matrix products.
    """

    forward: int | None = None
    input_gradient: int | None = None
    weight_gradient: int | None = None
    recomputed: int | None = 0
    unknown: tuple[str, ...] = ()
    products: frozenset[Product] = field(default_factory=frozenset)


class OperationCounter(TorchDispatchMode):
    """Count the operations that torch's registry knows, and name those with parameters it does not.

    Args:
        parameters: those of the layer.
    """

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        super().__init__()
        self.parameters = {storage_of(parameter) for parameter in parameters}
        self.total = 0
        self.unknown: set[str] = set()
        self.used: set[int] = set()  # parameters that an operation had
        self.products: set[Product] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        """Run the operation and count it."""
        kwargs = kwargs or {}
        made: object = func(*args, **kwargs)
        packet = func._overloadpacket
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        held = [t for t in tensors if storage_of(t) in self.parameters]
        self.used |= {storage_of(tensor) for tensor in held}
        if packet in flop_registry:
            self.total += flop_registry[packet](*args, **kwargs, out_val=made)
        elif held and not _has_no_product(func, held):
            self.unknown.add(str(packet))
        if packet in COPIES and held and isinstance(made, torch.Tensor):
            self.parameters.add(storage_of(made))
        if packet in PRODUCTS:
            self._note_product(*tensors[PRODUCTS[packet] :][:2])
        return made

    def _note_product(self, left: torch.Tensor, right: torch.Tensor) -> None:
        m, k, n = left.shape[-2], left.shape[-1], right.shape[-1]
        how: Transposed = (
            "left" if _is_transposed(left) else "right" if _is_transposed(right) else "neither"
        )
        self.products.add(Product(m, n, k, how))


def _is_transposed(matrix: torch.Tensor) -> bool:
    return matrix.stride(-2) == 1 and matrix.stride(-1) != 1


def _has_no_product(func: Any, held: list[torch.Tensor]) -> bool:
    """Return whether an operation that the registry lacks multiplies no matrices."""
    if func.namespace not in ("aten", "prims", "prim"):
        return False
    if func._overloadpacket in WITHOUT_PRODUCTS or func.is_view:
        return True
    tags = {torch.Tag.pointwise, getattr(torch.Tag, "reduction", torch.Tag.pointwise)}
    return bool(tags & set(func.tags)) or all(tensor.dim() < 2 for tensor in held)


def count_operations(
    run: Run, parameters: list[nn.Parameter], x: torch.Tensor, has_input_gradient: bool
) -> Operations:
    """Return the operations of one layer or of the loss.

    Args:
        run: maps the input to the output.
        parameters: those that it has.
        x: an input.
        has_input_gradient: whether backward computes the gradient of the input; the first layer's
            does not, and everything counts as of its parameters.

    Raises:
        RuntimeError: an operation does not run on this device.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    forward, both, counter = _count(run, parameters, x, has_input_gradient)
    hidden = {storage_of(p) for p in trained if p.grad is not None} - counter.used
    unknown = {*counter.unknown, *({"a kernel that torch does not see"} if hidden else ())}
    for parameter in parameters:
        parameter.grad = None
    if unknown:
        return Operations(
            unknown=tuple(sorted(unknown)),
            products=frozenset(counter.products),
            recomputed=None,
        )
    of_input = 0
    if has_input_gradient:
        for parameter in trained:
            parameter.requires_grad_(False)
        _, of_input, _ = _count(run, parameters, x, True)
        for parameter in trained:
            parameter.requires_grad_(True)
    return Operations(
        forward,
        of_input,
        both - of_input,
        unknown=(),
        products=frozenset(counter.products),
    )


def count_recomputed(
    run: Run, run_again: Run, parameters: list[nn.Parameter], x: torch.Tensor
) -> int:
    """Return the operations of the forward that backward runs again.

    Args:
        run: maps the input to the output.
        run_again: does the same, and again in backward.
        parameters: those that the layer has.
        x: an input.
    """
    plain, again = (_count(one, parameters, x, x.is_floating_point()) for one in (run, run_again))
    for parameter in parameters:
        parameter.grad = None
    return again[1] - plain[1]


def _count(
    run: Run, parameters: list[nn.Parameter], x: torch.Tensor, has_input_gradient: bool
) -> tuple[int, int, OperationCounter]:
    """Return the operations of forward, of backward, and the counter that saw them."""
    x = x.detach().requires_grad_(has_input_gradient)
    with sdpa_kernel(SDPBackend.MATH), OperationCounter(parameters) as counter:
        output = run(x)
        forward = counter.total
        if output.requires_grad:
            output.backward(torch.ones_like(output))
    return forward, counter.total - forward, counter
