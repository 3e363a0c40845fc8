"""Costs of a pipeline's stages as it ran, and what another balance would give."""

from dataclasses import dataclass

from report.analysis.profiled.stage_times import stage_times
from report.data.measured import MeasuredCase
from study.balance import balanced_map, even_map, stage_costs
from study.results.costs import BALANCES, known_costs
from study.results.layers import ModelProfile
from study.schedules import SCHEDULES
from study.stages import chunks_of, gpu_of_stage


@dataclass(frozen=True)
class StageBalance:
    """The stages of a pipeline.

    Attributes:
        by: Where the costs come from: `measured`, the stages' own time in an instrumented step;
            else the layers, each alone: their `time`, or `flops` where nobody timed them.
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
    stages, alone = stages_of(result), _alone(result)
    if stages is None or alone is None or len(alone[1]) != len(stages):
        return None
    return timed_balance_of(result) or StageBalance(alone[0], stages, stage_costs(alone[1], stages))


def timed_balance_of(result: MeasuredCase) -> StageBalance | None:
    """Return the stages of a pipeline with their own times; None where no step shows them all."""
    stages, found = stages_of(result), stage_times(result)
    if stages is None or found is None:
        return None
    return StageBalance("measured", stages, found.total_s)


def other_balances(result: MeasuredCase) -> dict[str, StageBalance]:
    """Return the stages by each balance, with costs of one and the same layers.

    `case.balance` is that of the cut that ran. The best by hand, `9,8,8,1`, is there where there
    are more stages than kinds of layers, so that their times are known well. Empty where layers do
    not tell: where their costs do not explain how long the stages took.
    """
    now, alone, model = balance_of(result), _alone(result), result.model
    if now is None or alone is None or model is None:
        return {}
    by, costs = alone
    if now.by == "measured":
        from report.analysis.profiled.layer_times import layer_times  # here: it needs numpy

        by, times = now.by, layer_times(model, costs, now.stage_of_layer, now.costs)
        if times is None:
            return {}
        costs = times
    count = len(now.costs)
    found = {what: _cut_by(model, what, count) for what in BALANCES}
    found[result.case.balance] = now.stage_of_layer
    cuts = {what: stages for what, stages in found.items() if stages is not None}
    if by == "measured" and len({*costs}) < count:
        best = balanced_map(costs, count)
        cuts.setdefault(",".join(str(best.count(stage)) for stage in range(count)), best)
    return {what: StageBalance(by, cut, stage_costs(costs, cut)) for what, cut in cuts.items()}


def _cut_by(model: ModelProfile, what: str, count: int) -> list[int] | None:
    """Return the stage of each layer by a balance; None where a layer's cost is unknown."""
    costs = known_costs(model, what)
    if costs is None:
        return None
    return even_map(len(costs), count) if what == "layers" else balanced_map(costs, count)


def stages_of(result: MeasuredCase) -> list[int] | None:
    """Return the stage of each layer; None for what is no pipeline of several stages."""
    case, placement = result.case, result.placement
    stages = placement.stage_of_layer
    if stages is None and chunks_of(case) == 1:
        stages = [gpu // case.data_parallel for gpu in placement.gpu_of_layer]
    count = len(gpu_of_stage(case))
    if not SCHEDULES[case.schedule].is_pipeline or count < 2 or not stages:
        return None
    return stages if {*stages} == {*range(count)} else None


def _alone(result: MeasuredCase) -> tuple[str, list[float]] | None:
    """Return what each layer costs by itself, and by what: `time`, or `flops` without it."""
    for by in ("time", "flops"):
        costs = None if result.model is None else known_costs(result.model, by)
        if costs is not None and sum(costs) > 0:
            return by, costs
    return None
