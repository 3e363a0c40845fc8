"""Cuts of a row of layers into stages of nearly equal cost."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import inf

ROUNDING = 1e-9  # of the sum of all costs


def balanced_map(costs: Sequence[float], stages: int) -> list[int]:
    """Return the stage of every layer, so that the costliest stage costs as little as it can.

    `costs` has one number of at least 0 for each layer, e.g. its seconds. Every stage gets one run
    of layers, and one layer at least. Exact, by dynamic programming over the last stage's first
    layer (linear partitioning; Skiena, The Algorithm Design Manual, 8.5), in time that grows with
    layers times stages: the best cut of more layers never lies further left.

    Costs that differ by less than rounding may make are equal. So which of several best cuts is
    returned does not depend on the last digits of floating-point sums.
    """
    until = [0.0, *accumulate(costs)]
    rounding = ROUNDING * until[-1]
    slowest, cuts = until, list[list[int]]()  # of the first n layers on one stage
    for stage in range(1, stages):
        best, first, cut = [inf] * (stage + 1), [0] * (stage + 1), stage
        for n in range(stage + 1, len(until)):
            while cut < n - 1 and slowest[cut] < until[n] - until[cut] - rounding:
                cut += 1
            at = _better(slowest, until, n, cut, stage, rounding)
            first.append(at)
            best.append(max(slowest[at], until[n] - until[at]))
        slowest = best
        cuts.append(first)
    starts, end = [], len(costs)
    for first in reversed(cuts):
        end = first[end]
        starts.append(end)
    starts.sort()
    return [bisect_right(starts, layer) for layer in range(len(costs))]


def _better(
    slowest: list[float], until: list[float], n: int, cut: int, least: int, rounding: float
) -> int:
    """Return the best cut of n layers: `cut`, from where the left part is the slower, or before."""
    here = max(slowest[cut], until[n] - until[cut])
    if cut > least and until[n] - until[cut - 1] <= here + rounding:
        cut -= 1
        while cut > least and until[cut] - until[cut - 1] <= rounding:  # layers that cost nothing
            cut -= 1
    return cut


def even_map(layers: int, stages: int) -> list[int]:
    """Return the stage of every layer, so that no two stages differ by more than one layer.

    Stage s has the layers with floor(layer * stages / layers) = s.
    """
    return [layer * stages // layers for layer in range(layers)]


def stage_costs(costs: Sequence[float], stage_of_layer: Sequence[int]) -> list[float]:
    """Return the cost of each stage: the sum over its layers."""
    found = [0.0] * (max(stage_of_layer) + 1)
    for cost, stage in zip(costs, stage_of_layer, strict=True):
        found[stage] += cost
    return found
