"""Costs of a pipeline's stages by its layer profile, and what another balance would give."""

from dataclasses import dataclass

from report.data.measured import MeasuredCase
from study.balance import balanced_map, even_map, stage_costs
from study.results.costs import known_costs
from study.schedules import SCHEDULES
from study.stages import chunks_of, gpu_of_stage


@dataclass(frozen=True)
class StageBalance:
    """The stages of a pipeline.

    Attributes:
        by: What a layer costs: its `time`, or its `flops` where nobody timed it.
        stage_of_layer: The stage of each layer.
        costs: The cost of each stage.
    """

    by: str
    stage_of_layer: list[int]
    costs: list[float]

    @property
    def slowest(self) -> int:
        """The number of the costliest stage."""
        return self.costs.index(max(self.costs))

    @property
    def ratio(self) -> float:
        """The costliest stage over the mean one; 1 is perfect."""
        return max(self.costs) * len(self.costs) / sum(self.costs)

    def layers(self, stage: int) -> list[int]:
        """Return the layers of a stage."""
        return [layer for layer, its in enumerate(self.stage_of_layer) if its == stage]


def balance_of(result: MeasuredCase) -> StageBalance | None:
    """Return the stages of a pipeline as it ran; None without stages or measured layers."""
    stages = stages_of(result)
    return None if stages is None else _balance(result, stages)


def balance_by(result: MeasuredCase, what: str) -> StageBalance | None:
    """Return the stages that another balance would give, by the same costs.

    Args:
        result: The pipeline.
        what: One of `BALANCES`.
    """
    model, now = result.model, balance_of(result)
    costs = None if model is None else known_costs(model, what)
    if now is None or costs is None:
        return None
    count = len(now.costs)
    stages = even_map(len(costs), count) if what == "layers" else balanced_map(costs, count)
    return _balance(result, stages)


def stages_of(result: MeasuredCase) -> list[int] | None:
    """Return the stage of each layer; None for what is no pipeline of several stages."""
    case, placement = result.case, result.placement
    stages = placement.stage_of_layer
    if stages is None and chunks_of(case) == 1:
        stages = placement.gpu_of_layer
    count = len(gpu_of_stage(case))
    if not SCHEDULES[case.schedule].is_pipeline or count < 2 or not stages:
        return None
    return stages if {*stages} == {*range(count)} else None


def _balance(result: MeasuredCase, stages: list[int]) -> StageBalance | None:
    model = result.model
    if model is None or len(model.layers) != len(stages):
        return None
    for by in ("time", "flops"):
        costs = known_costs(model, by)
        if costs is not None and sum(costs) > 0:
            return StageBalance(by, stages, stage_costs(costs, stages))
    return None
