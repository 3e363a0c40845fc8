"""The layers of each stage and the stages of each GPU, by the same rule for every pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass

from mp.placement import layer_map
from study.balance import balanced_map
from study.case import Case
from study.errors import CaseError
from study.results.costs import layer_costs
from study.results.layers import ModelProfile
from study.results.result import Placement
from study.stages import chunks_of, gpu_of_stage
from study.text import shortened


@dataclass(frozen=True)
class Stages:
    """The stage of each layer, and the GPU of each stage in the first replica.

    Those of the other replicas come right behind it.
    """

    stage_of_layer: list[int]
    gpu_of_stage: list[int]
    replicas: int = 1

    @property
    def count(self) -> int:
        """The number of stages on all GPUs together."""
        return len(self.gpu_of_stage)

    def layers(self, stage: int) -> list[int]:
        """Return the layers of this stage."""
        return [i for i, its_stage in enumerate(self.stage_of_layer) if its_stage == stage]

    def on(self, gpu: int) -> list[int]:
        """Return the stages of this GPU."""
        first = gpu - gpu % self.replicas
        return [stage for stage, its_gpu in enumerate(self.gpu_of_stage) if its_gpu == first]

    def placement(self) -> Placement:
        """Return the placement for the result."""
        gpu_of_layer = [self.gpu_of_stage[stage] for stage in self.stage_of_layer]
        counts = [gpu_of_layer.count(gpu) for gpu in sorted({*self.gpu_of_stage})]
        return Placement(
            gpu_of_layer=gpu_of_layer,
            layers_per_gpu=[count for count in counts for _ in range(self.replicas)],
            stage_of_layer=self.stage_of_layer,
        )


def make_stages(case: Case, costs: Sequence[float] | None = None) -> Stages:
    """Return the case's stages: by hand where it says so, else of nearly equal costs.

    Without the layers' costs, every stage gets equally many layers, as far as possible.
    """
    count = case.pipeline_gpus * chunks_of(case)
    if case.balance[0].isdigit():
        counts = enumerate(map(int, case.balance.split(",")))
        of_layer = [stage for stage, layers in counts for _ in range(layers)]
    elif costs is None:
        of_layer = layer_map(case.layers, count, "even")
    else:
        of_layer = balanced_map(costs, count)
    return Stages(of_layer, gpu_of_stage(case), case.data_parallel)


def costs_of(balance: str, profile: ModelProfile) -> list[float]:
    """Return what each layer costs by a rule of balance.

    Args:
        balance: `parameters`, `flops` or `time`.
        profile: the layers as measured.

    Raises:
        CaseError: the cost of a layer, or of the loss behind the last, is not known.
    """
    found = []
    for layer, cost in zip(profile.layers, layer_costs(profile, balance), strict=True):
        if cost is None:
            raise CaseError(
                shortened(f"balance: {balance} is not known of {layer.name}; use balance: layers")
            )
        found.append(cost)
    return found
