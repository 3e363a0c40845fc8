"""Sizes that the layers of a GPT have in common, in bytes."""

from dataclasses import dataclass

from predict.memory.kernels import row_sum_bytes


@dataclass(frozen=True)
class GptSizes:
    """Numbers from which the sizes of a GPT's layers follow.

    Attributes:
        tokens: of one part of the batch.
        length: of a row, in tokens.
        dim: of a vector.
        heads: of the attention.
        vocab: how many tokens there are.
        element: bytes of a number.
        is_fused: whether weight gradients are added inside of their product.
        is_again: whether backward runs a layer again.
        in_two_parts: whether backward gives the gradients of inputs first.
    """

    tokens: int
    length: int
    dim: int
    heads: int
    vocab: int
    element: int
    is_fused: bool
    is_again: bool
    in_two_parts: bool

    @property
    def unit(self) -> int:
        """Bytes of a vector for every token."""
        return self.tokens * self.dim * self.element

    @property
    def square(self) -> int:
        """Bytes of a weight of dim x dim."""
        return self.dim**2 * self.element

    @property
    def table(self) -> int:
        """Bytes of the weights of all tokens."""
        return self.vocab * self.dim * self.element

    def sum_of(self, columns: int) -> int:
        """Return the bytes of a bias's gradient, and of its sum while it runs.

        Args:
            columns: as multiples of dim.
        """
        width = columns * self.dim
        return row_sum_bytes(self.tokens, width) + width * self.element
