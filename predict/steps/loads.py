"""Load of each GPU of a simulated step, as its power limit sees it."""

from collections.abc import Sequence

from predict.costs.power_limit.recent_load import Stretch, recent_loads
from predict.simulation.result import GpuUse, Simulated

PASSING = ("transfer_in", "collective")  # spans in which a GPU computes nothing
Load = float | Sequence[Stretch]


def loads_of(found: Simulated, constant_s: float | None) -> list[Load]:
    """Return the load of each GPU: whiles with their loads, or one share of the whole step.

    Args:
        found: the step. A large one has no spans: each GPU then counts as computing all at once.
        constant_s: how long the power limit looks back; None where that is unknown.
    """
    if constant_s is None:
        return list(found.loads)
    computes: list[list[tuple[float, float]]] = [[] for _ in found.gpus]
    for span in found.spans:
        if span.kind not in PASSING:
            computes[span.gpu].append((span.start_s, span.end_s))
    return [
        _load(use, sorted(its), found.step_s, constant_s)
        for use, its in zip(found.gpus, computes, strict=True)
    ]


def _load(
    use: GpuUse, computes: list[tuple[float, float]], step_s: float, constant_s: float
) -> Load:
    """Return the load of one GPU.

    Args:
        use: of the GPU.
        computes: when it begins and ends to compute; empty where that is unknown.
        step_s: the length of the step.
        constant_s: how long the power limit looks back.
    """
    if not use.busy_s:
        return 0.0
    share = min(1.0, use.work_s / use.busy_s)  # a transfer or a launch takes the rest
    return recent_loads(computes or [(0.0, use.busy_s)], step_s, constant_s, share)
