"""Layers to stages, and stages to GPUs: the same rule for every pipeline."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from mp.placement import balanced_map, layer_map
from study.case import Case
from study.results.result import Placement
from study.stages import chunks_of, gpu_of_stage


@dataclass(frozen=True)
class Stages:
    """Which stage holds each layer, and which GPU each stage."""

    stage_of_layer: list[int]
    gpu_of_stage: list[int]

    @property
    def count(self) -> int:
        """How many stages the pipeline has, on all GPUs together."""
        return len(self.gpu_of_stage)

    def layers(self, stage: int) -> list[int]:
        """The layers of this stage."""
        return [i for i, its_stage in enumerate(self.stage_of_layer) if its_stage == stage]

    def on(self, gpu: int) -> list[int]:
        """The stages of this GPU."""
        return [stage for stage, its_gpu in enumerate(self.gpu_of_stage) if its_gpu == gpu]

    def borders(self) -> list[tuple[int, int]]:
        """(GPU that sends, GPU that receives) for each border that activations cross."""
        pairs = zip(self.gpu_of_stage, self.gpu_of_stage[1:], strict=False)
        return [(a, b) for a, b in pairs if a != b]

    def placement(self) -> Placement:
        """For the result."""
        gpu_of_layer = [self.gpu_of_stage[stage] for stage in self.stage_of_layer]
        gpus = max(self.gpu_of_stage) + 1
        return Placement(
            gpu_of_layer=gpu_of_layer,
            layers_per_gpu=[gpu_of_layer.count(gpu) for gpu in range(gpus)],
            stage_of_layer=self.stage_of_layer,
        )


def make_stages(case: Case, layer_s: list[float] | None = None) -> Stages:
    """The case's stages: equal numbers of layers, or, given what each layer takes, equal times."""
    count = case.gpus * chunks_of(case)
    if layer_s is None:
        of_layer = layer_map(case.depth, count, "even")
    else:
        of_layer = balanced_map(layer_s, count)
    return Stages(of_layer, gpu_of_stage(case))


def make_layers(case: Case) -> Iterator[nn.Linear]:
    """All layers, one after another, on the CPU, from the case's seed.

    Every rank draws all of them, so that each split starts from the same numbers as the naive one.
    """
    torch.manual_seed(case.seed)
    for _ in range(case.depth):
        yield nn.Linear(case.dim, case.dim)


def make_batch(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    """Input and target, each (batch, dim), drawn after the layers."""
    return torch.randn(case.batch_size, case.dim), torch.randn(case.batch_size, case.dim)


class StageModule(nn.Module):
    """A run of layers with ReLU between them; all but the model's first begin with it."""

    def __init__(self, layers: dict[int, nn.Linear]) -> None:
        super().__init__()
        self.numbers = list(layers)
        self.layers = nn.ModuleList(layers.values())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x of shape (micro-batch, dim) to the same shape."""
        for number, layer in zip(self.numbers, self.layers, strict=True):
            x = layer(x if number == 0 else torch.relu(x))
        return x
