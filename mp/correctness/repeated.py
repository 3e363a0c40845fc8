"""Layers that run again in backward must return the same: a check of the second run."""

import torch

from mp.correctness.notes import outputs_differ
from mp.correctness.unsplit import Unsplit


def find_unrepeatable(unsplit: Unsplit) -> str | None:
    """Return in words which layer returns something else when it runs again; None if none does.

    The second run begins where torch's generators were at the first, as a recomputation does.
    Dropout is on.
    """
    x = unsplit.outputs[0][0]
    with torch.no_grad():
        for name, layer in zip(unsplit.names, unsplit.layers, strict=True):
            before = torch.get_rng_state()
            first = layer(x)
            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(before)
                again = layer(x)
            if outputs_differ(first, again):
                return (
                    f"recompute: layers: {name} returns something else when it runs again: it "
                    "draws random numbers that are not torch's, or uses what its first run "
                    "changed; use recompute: none"
                )
            x = first
    return None
