"""Layers that run again in backward must return the same: a check of the second run."""

import torch
from torch import nn

from mp.activations import Activation, parts_of
from mp.correctness.notes import outputs_differ
from mp.correctness.unsplit import Unsplit


def find_unrepeatable(unsplit: Unsplit) -> str | None:
    """Return in words which layer returns something else when it runs again; None if none does.

    Both runs begin from one seed: a recomputation sets torch's generators back.
    Dropout is on.
    """
    x = unsplit.outputs[0][0]
    gpus = [part.device for part in parts_of(x) if part.is_cuda]
    with torch.no_grad(), torch.random.fork_rng(devices=gpus):
        for number, (name, layer) in enumerate(zip(unsplit.names, unsplit.layers, strict=True)):
            first, again = (_run_from(number, layer, x) for _ in range(2))
            if outputs_differ(first, again):
                return (
                    f"recompute: layers: {name} returns something else when it runs again: it "
                    "draws random numbers that are not torch's, or uses what its first run "
                    "changed; use recompute: none"
                )
            x = first
    return None


def _run_from(seed: int, layer: nn.Module, x: Activation) -> Activation:
    """Run a layer, with torch's generators set to a seed."""
    torch.manual_seed(seed)
    output: Activation = layer(x)
    return output
