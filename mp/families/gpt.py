"""GPT: an embedding, equal transformer blocks, and a head over the vocabulary.

As in Radford et al. 2019: normalisation before attention and MLP, GELU, learned positions; residual
projections begin smaller with depth. Dropout is left out.
"""

from collections.abc import Iterator
from math import sqrt

import msgspec
import torch
from torch import nn

from mp.workload import Places, Workload
from study.case import Case, given

STD = 0.02  # of every weight's first value


class Embedding(nn.Module):
    """Tokens (rows, seq_len) to vectors (rows, seq_len, dim), with their positions added.

    Args:
        vocab: how many tokens there are.
        seq_len: how many positions.
        dim: of a vector.
    """

    def __init__(self, vocab: int, seq_len: int, dim: int) -> None:
        super().__init__()
        self.token, self.position = nn.Embedding(vocab, dim), nn.Embedding(seq_len, dim)
        for table in (self.token, self.position):
            nn.init.normal_(table.weight, std=STD)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Look up the vectors."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x: torch.Tensor = self.token(tokens) + self.position(places)
        return x


class Block(nn.Module):
    """Causal attention and an MLP, each added to its input; (rows, seq_len, dim) to the same.

    Args:
        dim: of a vector.
        heads: of the attention.
        depth: blocks of the model.
    """

    def __init__(self, dim: int, heads: int, depth: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.attended = _linear(dim, 3 * dim), _linear(dim, dim, 1 / sqrt(2 * depth))
        self.up, self.down = _linear(dim, 4 * dim), _linear(4 * dim, dim, 1 / sqrt(2 * depth))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend to the tokens before, then pass each through the MLP."""
        rows, length, dim = x.shape
        parts = self.qkv(self.norm_1(x)).view(rows, length, 3, self.heads, dim // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attended(seen.transpose(1, 2).reshape(rows, length, dim))
        hidden = nn.functional.gelu(self.up(self.norm_2(x)), approximate="tanh")
        added: torch.Tensor = x + self.down(hidden)
        return added


class Head(nn.Module):
    """Vectors (rows, seq_len, dim) to a score for every token (rows, seq_len, vocab)."""

    def __init__(self, dim: int, vocab: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.scores = nn.Linear(dim, vocab, bias=False)
        nn.init.normal_(self.scores.weight, std=STD)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score the tokens."""
        scores: torch.Tensor = self.scores(self.norm(x))
        return scores


def _linear(inputs: int, outputs: int, scale: float = 1.0) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=STD * scale)
    nn.init.zeros_(layer.bias)
    return layer


class Gpt(Workload):
    """A GPT that predicts random tokens; `depth` counts its blocks."""

    item = "token"
    draws_apart = True

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.heads, self.vocab, self.tied = given(case.heads), given(case.vocab), given(case.tied)
        self.items_per_row = given(case.seq_len)

    def small_case(self) -> Case:
        """Return the case with narrow blocks, short rows and few tokens."""
        return msgspec.structs.replace(self.case, dim=16, heads=2, seq_len=8, vocab=32)

    def names(self) -> list[str]:
        """Return embedding, block 0 and so on, head."""
        return ["embedding", *(f"block {number}" for number in range(self.case.depth)), "head"]

    def layer(self, number: int) -> nn.Module:
        """Make layer `number`."""
        dim, depth = self.case.dim, self.case.depth
        if number == 0:
            return Embedding(self.vocab, self.items_per_row, dim)
        if number <= depth:
            return Block(dim, self.heads, depth)
        return Head(dim, self.vocab)

    def layers(self) -> Iterator[nn.Module]:
        """Draw all layers; with `tied`, the head's weight is the embedding's."""
        return (layer for _, layer in self._tie(enumerate(super().layers())))

    def _draw_apart(self, places: Places) -> Iterator[tuple[int, nn.Module]]:
        return self._tie(super()._draw_apart(places))

    def _tie(self, drawn: Iterator[tuple[int, nn.Module]]) -> Iterator[tuple[int, nn.Module]]:
        """Give the head the embedding's weight; where that is not drawn, one of equal numbers."""
        table: torch.Tensor | None = None
        for number, layer in drawn:
            if isinstance(layer, Embedding):
                table = layer.token.weight
            elif isinstance(layer, Head) and self.tied:
                layer.scores.weight = self._table_near(layer) if table is None else table
            yield number, layer

    def _table_near(self, head: Head) -> torch.Tensor:
        """Draw the embedding again, on the head's device, and return its weight."""
        with head.scores.weight.device:
            embedding = self.draw_layer(0)
        assert isinstance(embedding, Embedding)
        return embedding.token.weight

    def batch(self, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw tokens and those to predict, each (rows, seq_len)."""
        shape = (rows, self.items_per_row)
        return torch.randint(self.vocab, shape), torch.randint(self.vocab, shape)

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy of (rows, seq_len, vocab) and (rows, seq_len)."""
        return nn.functional.cross_entropy(output.flatten(0, 1).float(), target.flatten())
