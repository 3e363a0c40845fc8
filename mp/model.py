"""The homework's model: linear layers spread over GPUs, and a baton passed between them."""

import torch
from torch import nn

from mp.placement import layer_map


def all_gpus() -> list[torch.device]:
    """Every CUDA GPU that this process sees."""
    return [torch.device("cuda", i) for i in range(torch.cuda.device_count())]


def seed_of_layer(seed: int, number: int) -> int:
    """Return the seed of a layer's first weights; behind the last layer's comes the batch's."""
    return ((seed + 1) * 1_000_003 + number) % 2**63


class LargeLinearModelMP(nn.Module):
    """`depth` layers `nn.Linear(dim, dim)` with ReLU between them, split over several GPUs.

    Args:
        dim: features of every layer's input and output.
        depth: number of layers.
        devices: one entry for each GPU, in order, anything that `.to()` takes; by default every
            GPU of the machine (split `half`: the first two).
        split: `half` (exactly two GPUs, the base code) or `even` (any number up to `depth`).

    Raises:
        ValueError: the split cannot use this number of GPUs.
    """

    def __init__(self, dim, depth, devices=None, split="even"):
        super().__init__()
        self.devices = devices or (all_gpus()[:2] if split == "half" else all_gpus())
        self.gpu_of_layer = layer_map(depth, len(self.devices), split)
        self.layers = nn.ModuleList(
            nn.Linear(dim, dim).to(self.devices[gpu]) for gpu in self.gpu_of_layer
        )

    def forward(self, x):
        """Map x of shape (batch, dim) to (batch, dim), on the last GPU."""
        for i, layer in enumerate(self.layers):
            layer_device = self.devices[self.gpu_of_layer[i]]
            x = x.to(layer_device)  # pass the baton: a copy only where the GPU changes
            x = layer(x if i == 0 else torch.relu(x))
        return x


def draw_weights(model: LargeLinearModelMP, seed: int) -> None:
    """Draw the weights of each layer where it lies, from a seed of its own.

    So they are the same on any number of GPUs, and no GPU waits for the CPU to draw them.
    """
    for number, layer in enumerate(model.layers):
        assert isinstance(layer, nn.Linear)
        torch.manual_seed(seed_of_layer(seed, number))
        layer.reset_parameters()
