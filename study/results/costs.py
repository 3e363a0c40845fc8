"""Costs of a model's layers by each rule of balance: what mp cuts by, and what a report tells."""

from study.results.layers import LayerProfile, ModelProfile

BALANCES = ("layers", "parameters", "flops", "time")


def layer_costs(model: ModelProfile, balance: str) -> list[float | None]:
    """Return the cost of each layer, None where it is unknown.

    The loss counts with the last layer, behind which it is computed on whatever stage. `parameters`
    counts each once, those that are not trained too; `flops` and `time` are of forward and
    backward.

    Args:
        model: the layers as measured.
        balance: one of `BALANCES`.
    """
    costs = [_cost(layer, balance) for layer in model.layers]
    if balance != "layers":
        last, of_loss = costs[-1], _cost(model.loss, balance)
        costs[-1] = None if last is None or of_loss is None else last + of_loss
    return costs


def known_costs(model: ModelProfile, balance: str) -> list[float] | None:
    """Return the same, or None where that of one layer is unknown."""
    costs = layer_costs(model, balance)
    known = [cost for cost in costs if cost is not None]
    return known if len(known) == len(costs) else None


def _cost(layer: LayerProfile, balance: str) -> float | None:
    if balance == "layers":
        return 1.0
    if balance == "parameters":
        return float(layer.parameters)
    parts: tuple[float | None, ...] = (layer.forward_s, layer.backward_s)
    if balance == "flops":
        parts = layer.forward_flops, layer.input_gradient_flops, layer.weight_gradient_flops
    known = [part for part in parts if part is not None]
    return float(sum(known)) if len(known) == len(parts) else None
