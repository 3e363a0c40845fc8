"""The layers of each stage and the stages of each GPU, by the same rule for every pipeline."""

from dataclasses import dataclass

from mp.placement import layer_map
from study.balance import balanced_map
from study.case import Case
from study.results.result import Placement
from study.stages import chunks_of, gpu_of_stage


@dataclass(frozen=True)
class Stages:
    """The stage of each layer, and the GPU of each stage."""

    stage_of_layer: list[int]
    gpu_of_stage: list[int]

    @property
    def count(self) -> int:
        """The number of stages on all GPUs together."""
        return len(self.gpu_of_stage)

    def layers(self, stage: int) -> list[int]:
        """Return the layers of this stage."""
        return [i for i, its_stage in enumerate(self.stage_of_layer) if its_stage == stage]

    def on(self, gpu: int) -> list[int]:
        """Return the stages of this GPU."""
        return [stage for stage, its_gpu in enumerate(self.gpu_of_stage) if its_gpu == gpu]

    def placement(self) -> Placement:
        """Return the placement for the result."""
        gpu_of_layer = [self.gpu_of_stage[stage] for stage in self.stage_of_layer]
        gpus = max(self.gpu_of_stage) + 1
        return Placement(
            gpu_of_layer=gpu_of_layer,
            layers_per_gpu=[gpu_of_layer.count(gpu) for gpu in range(gpus)],
            stage_of_layer=self.stage_of_layer,
        )


def make_stages(case: Case, layer_s: list[float] | None = None) -> Stages:
    """Return the case's stages: of equal layer counts, or, given layer times, of equal times."""
    count = case.gpus * chunks_of(case)
    if layer_s is None:
        of_layer = layer_map(case.layers, count, "even")
    else:
        of_layer = balanced_map(layer_s, count)
    return Stages(of_layer, gpu_of_stage(case))
