"""Cuts of a row of layers into stages of nearly equal cost."""

from collections.abc import Sequence


def balanced_map(costs: Sequence[float], stages: int) -> list[int]:
    """Return the stage of every layer, so that the costliest stage costs as little as it can.

    `costs` has one number for each layer, e.g. its seconds. Every stage gets one run of layers, and
    one layer at least. Exact, by dynamic programming over the last stage's first layer (linear
    partitioning; Skiena, The Algorithm Design Manual, 8.5).
    """
    until = [0.0]
    for cost in costs:
        until.append(until[-1] + cost)
    slowest, cuts = until, []  # of the first n layers on one stage
    for stage in range(1, stages):
        best = [(float("inf"), 0)] * (stage + 1) + [
            min((max(slowest[cut], until[n] - until[cut]), cut) for cut in range(stage, n))
            for n in range(stage + 1, len(until))
        ]
        slowest, first = [s for s, _ in best], [cut for _, cut in best]
        cuts.append(first)
    starts, end = [], len(costs)
    for first in reversed(cuts):
        end = first[end]
        starts.append(end)
    return [sum(start <= layer for start in starts) for layer in range(len(costs))]


def stage_costs(costs: Sequence[float], stage_of_layer: Sequence[int]) -> list[float]:
    """Return the cost of each stage: the sum over its layers."""
    found = [0.0] * (max(stage_of_layer) + 1)
    for cost, stage in zip(costs, stage_of_layer, strict=True):
        found[stage] += cost
    return found
