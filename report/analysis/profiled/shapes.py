"""Sizes and operations of a case: of its layers as measured, or the linear stack's closed forms."""

from dataclasses import dataclass

from study.case import Case
from study.results.layers import LayerProfile, ModelProfile


@dataclass(frozen=True)
class Operations:
    """Floating-point operations of one training step, by part."""

    forward: int
    input_gradient: int
    weight_gradient: int

    @property
    def total(self) -> int:
        """All of a step."""
        return self.forward + self.input_gradient + self.weight_gradient


def operations_of(case: Case, model: ModelProfile | None) -> Operations | None:
    """Return the operations of a step's matrix products and convolutions.

    A linear layer of d x d on b rows has one product of 2 b d^2 operations in forward, one for the
    gradient of its weight and one for that of its input; the first layer's input needs none.
    Additions of biases, activation functions, normalisation, loss and optimizer are left out, as in
    MLPerf's model FLOPs. None where an operation has no known count.

    Args:
        case: the configuration.
        model: its layers as measured; None for the linear stack.
    """
    if model is None:
        product = 2 * case.batch_size * case.dim**2
        return Operations(product * case.depth, product * (case.depth - 1), product * case.depth)
    parts = [_parts(layer) for layer in (*model.layers, model.loss)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    steps = case.batch_size // model.rows
    return Operations(*(steps * sum(column) for column in zip(*known, strict=True)))


def recomputed_flops(case: Case, model: ModelProfile | None) -> int | None:
    """Return the operations of the layers' second run in backward, which `operations_of` lacks.

    0 where no layer runs again, and for the linear stack: a second run ends before the product,
    since backward needs only what the product is made from. A fused product saves that after it has
    run, so it runs again. None where they are not known.
    """
    if case.recompute == "none":
        return 0
    if model is None:
        forward = 2 * case.batch_size * case.dim**2 * case.depth
        return forward if case.gradients == "fused" else 0
    known = [layer.recomputed_flops for layer in model.layers]
    found = [flops for flops in known if flops is not None]
    if len(found) < len(known):
        return None
    return case.batch_size // model.rows * sum(found)


def _parts(layer: LayerProfile) -> tuple[int, int, int] | None:
    forward, of_input, of_weight = (
        layer.forward_flops,
        layer.input_gradient_flops,
        layer.weight_gradient_flops,
    )
    if forward is None or of_input is None or of_weight is None:
        return None
    return forward, of_input, of_weight
