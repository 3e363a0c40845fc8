"""A mixture of experts: every token goes to one expert, which its numbers choose (top-1)."""

import torch
from torch import nn


class Experts(nn.Module):
    """A router and its experts, added to the input: (rows, tokens, width) to the same."""

    def __init__(self, width, experts):
        super().__init__()
        self.norm, self.router = nn.LayerNorm(width), nn.Linear(width, experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
            for _ in range(experts)
        )

    def forward(self, x):
        """Send each token to its expert, and scale what comes back by the router's probability."""
        normed = self.norm(x)
        weight, chosen = self.router(normed).softmax(-1).max(-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            mine = chosen == number
            out[mine] = expert(normed[mine]) * weight[mine].unsqueeze(-1)
        return x + out


def build(width=64, experts=4, depth=6, tokens=32):
    """Return `depth` layers of experts. Each token of a row is as long as the model is wide."""

    def batch(rows):
        return torch.randn(rows, tokens, width), torch.randn(rows, tokens, width)

    return {
        "layers": [Experts(width, experts) for _ in range(depth)],
        "batch": batch,
        "loss": nn.functional.mse_loss,
        "unit": ("token", tokens),
    }
