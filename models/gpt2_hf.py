"""GPT-2 of Hugging Face transformers as a list of layers; needs `pip install transformers`."""

import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel


class Embedding(nn.Module):
    """Tokens (rows, seq_len) to vectors, with their positions added and dropout applied."""

    def __init__(self, gpt):
        super().__init__()
        self.wte, self.wpe, self.drop = gpt.wte, gpt.wpe, gpt.drop

    def forward(self, tokens):
        """Look up the vectors."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        return self.drop(self.wte(tokens) + self.wpe(places))


class Block(nn.Module):
    """A block of transformers, which may return its output in a tuple."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x):
        """Return the output alone."""
        y = self.block(x)
        return y[0] if isinstance(y, tuple) else y


def build(
    n_layer=12, n_embd=768, n_head=12, seq_len=1024, vocab_size=50257, tied=True, dropout=0.0
):
    """Return embedding, blocks, and the last norm with the head: n_layer + 2 layers."""
    config = GPT2Config(n_layer=n_layer, n_embd=n_embd, n_head=n_head, n_positions=seq_len,
                        vocab_size=vocab_size, tie_word_embeddings=tied, embd_pdrop=dropout,
                        attn_pdrop=dropout, resid_pdrop=dropout)  # fmt: skip
    model = GPT2LMHeadModel(config)
    gpt = model.transformer
    layers = [Embedding(gpt), *map(Block, gpt.h), nn.Sequential(gpt.ln_f, model.lm_head)]

    def batch(rows):
        tokens = torch.randint(vocab_size, (rows, seq_len + 1))
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def loss(scores, target):
        return nn.functional.cross_entropy(scores.flatten(0, 1).float(), target.flatten())

    small = {"n_embd": 32, "n_head": 2, "seq_len": 16, "vocab_size": 64}
    return {
        "layers": layers, "batch": batch, "loss": loss, "unit": ("token", seq_len), "small": small,
    }  # fmt: skip
