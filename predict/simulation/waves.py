"""Waves: actions of many GPUs that wait for none of one another, found by arithmetic.

A family of actions has levels: GPU g does micro-batch i at level a g + b i + c. Whatever an action
needs has a lower level, so all actions of one level can be computed at once, as a slice of arrays
over the GPUs. The next action that another GPU needs is always the newest of its neighbour, so one
time for each GPU and kind of action is all that is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from predict.orders.action import Kind

Limit = tuple[int, int, int]


@dataclass(frozen=True)
class Family:
    """Actions of one kind and one stage of each GPU.

    Attributes:
        kind: of the actions.
        level: (a, b, c) of a g + b i + c, with b > 0.
        limits: (x, y, z) of x g + y i <= z, for the actions that there are.
        is_up: whether the stage is the GPU's second, on the way back up a V.
    """

    kind: Kind
    level: tuple[int, int, int]
    limits: tuple[Limit, ...] = ()
    is_up: bool = False


@dataclass(frozen=True)
class Waves:
    """Waves in an order in which they can be computed.

    Attributes:
        families: their actions.
        rows: of each wave the number of its family, its first GPU, the one after its last, and
            likewise those of them that do their first micro-batch.
    """

    families: Sequence[Family]
    rows: NDArray[np.int64]

    def step(self, number: int) -> int:
        """Return the distance of two neighbouring GPUs in the waves of a family."""
        a, b, _ = self.families[number].level
        return b // gcd(a, b)


def waves_of(families: Sequence[Family], gpus: int, micro_batches: int) -> Waves:
    """Return the waves of families whose actions come in turn on each GPU.

    Args:
        families: which of them a GPU serves first is up to their levels.
        gpus: of the pipeline.
        micro_batches: of a step.
    """
    found = [_of_family(number, f, gpus, micro_batches) for number, f in enumerate(families)]
    levels = np.concatenate([each[0] for each in found])
    rows = np.concatenate([each[1] for each in found])
    return Waves(families, rows[np.argsort(levels, kind="stable")])


def _of_family(
    number: int, family: Family, gpus: int, micro_batches: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the levels of a family that have actions, and their rows."""
    a, b, c = family.level
    corners = [a * g + b * i + c for g in (0, gpus - 1) for i in (0, micro_batches - 1)]
    levels = np.arange(min(corners), max(corners) + 1)
    low, high = np.zeros_like(levels), np.full_like(levels, gpus - 1)
    for x, y, z in (*family.limits, (0, -1, 0), (0, 1, micro_batches - 1)):
        # i = (level - a g - c) / b in x g + y i <= z, times b
        slope, right = x * b - y * a, z * b - y * (levels - c)
        if slope > 0:
            high = np.minimum(high, right // slope)
        elif slope < 0:
            low = np.maximum(low, -(right // -slope))
        else:
            high = np.where(right < 0, -1, high)
    step = b // gcd(a, b)
    residues = np.array([_residue(r, a, b, step) for r in range(b)])[(levels - c) % b]
    low += (residues - low) % step
    has_any = (residues >= 0) & (low <= high)
    levels, low, high = levels[has_any], low[has_any], high[has_any]
    first_low, first_high = _first_micro_batch(levels, low, high, family)
    rows = (np.full_like(low, number), low, high + 1, first_low, first_high)
    return levels, np.stack(rows, axis=1)


def _residue(residue: int, a: int, b: int, step: int) -> int:
    """Return the smallest g with a g = residue modulo b; -1 if there is none."""
    return next((g for g in range(step) if (residue - a * g) % b == 0), -1)


def _first_micro_batch(
    levels: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64], family: Family
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the GPUs that do micro-batch 0 at each level: the first, and the one after the last.

    Args:
        levels: of a family.
        low: its first GPU at each level.
        high: its last.
        family: the one that is meant.
    """
    a, _, c = family.level
    if a == 0:
        is_first = levels == c
        return np.where(is_first, low, 0), np.where(is_first, high + 1, 0)
    gpu = (levels - c) // a
    is_first = ((levels - c) % a == 0) & (low <= gpu) & (gpu <= high)
    return np.where(is_first, gpu, 0), np.where(is_first, gpu + 1, 0)
