"""Costs of a pipeline's stages by its layer profile, and what another balance would give."""

from dataclasses import dataclass

from report.data.measured import MeasuredCase
from study.balance import balanced_map, stage_costs
from study.results.layers import LayerProfile, ModelProfile
from study.schedules import SCHEDULES
from study.stages import chunks_of, gpu_of_stage

BALANCES = ("layers", "parameters", "flops", "time")


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
    costs = None if model is None else layer_costs(model, what)
    if now is None or costs is None:
        return None
    return _balance(result, balanced_map(costs, len(now.costs)))


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


def layer_costs(model: ModelProfile, what: str) -> list[float] | None:
    """Return the cost of each layer; None where that of one is unknown.

    Args:
        model: The layers. The loss counts with the last one, which it follows on any stage.
        what: One of `BALANCES`.
    """
    costs = [_cost(layer, what) for layer in model.layers]
    of_loss = _cost(model.loss, what)
    if what != "layers" and costs and costs[-1] is not None:
        costs[-1] = None if of_loss is None else costs[-1] + of_loss
    known = [cost for cost in costs if cost is not None]
    return known if len(known) == len(costs) else None


def _cost(layer: LayerProfile, what: str) -> float | None:
    if what == "layers":
        return 1.0
    if what == "parameters":
        return float(layer.parameters)
    parts: tuple[float | None, ...] = (layer.forward_s, layer.backward_s)
    if what == "flops":
        parts = (
            layer.forward_flops,
            layer.input_gradient_flops,
            layer.weight_gradient_flops,
        )
    known = [part for part in parts if part is not None]
    return float(sum(known)) if len(known) == len(parts) else None


def _balance(result: MeasuredCase, stages: list[int]) -> StageBalance | None:
    model = result.model
    if model is None or len(model.layers) != len(stages):
        return None
    for by in ("time", "flops"):
        costs = layer_costs(model, by)
        if costs is not None and sum(costs) > 0:
            return StageBalance(by, stages, stage_costs(costs, stages))
    return None
