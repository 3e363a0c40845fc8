"""Load of each GPU of a simulated step, as its power limit sees it."""

from collections.abc import Sequence

from predict.costs.power_limit.recent_load import Stretch, recent_loads
from predict.simulation.result import Simulated

PASSING = ("transfer_in", "collective")  # spans in which a GPU computes nothing
Load = float | Sequence[Stretch]


def loads_of(found: Simulated, constant_s: float | None) -> list[Load]:
    """Return the load of each GPU: whiles with their loads, or one share of the whole step.

    Args:
        found: the step. Without spans, which a large one has not, each GPU computes all at once.
        constant_s: how long the power limit looks back; None where that is unknown.
    """
    if constant_s is None:
        return list(found.loads)
    return [_load(found, gpu, constant_s) for gpu in range(len(found.gpus))]


def _load(found: Simulated, gpu: int, constant_s: float) -> Load:
    use = found.gpus[gpu]
    if not use.busy_s:
        return 0.0
    its = (span for span in found.spans if span.gpu == gpu and span.kind not in PASSING)
    computes = sorted((span.start_s, span.end_s) for span in its) or [(0.0, use.busy_s)]
    share = min(1.0, use.work_s / use.busy_s)  # a transfer or a launch takes the rest
    return recent_loads(computes, found.step_s, constant_s, share)
