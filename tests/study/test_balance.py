"""Stages of equal cost: exact, whatever the layers cost, and quick where there are many."""

import random
from itertools import combinations

import pytest

from study.balance import balanced_map, stage_costs


def cheapest(costs, stages):
    """The least that the costliest stage can cost, by trying every cut."""
    return min(
        max(sum(costs[a:b]) for a, b in zip((0, *cuts), (*cuts, len(costs)), strict=True))
        for cuts in combinations(range(1, len(costs)), stages - 1)
    )


@pytest.mark.parametrize("seed", range(40))
def test_no_other_cut_has_a_cheaper_costliest_stage(seed):
    draw = random.Random(seed)
    layers = draw.randint(1, 9)
    stages = draw.randint(1, layers)
    costs = [draw.choice([0, 0, 1, 2, 3, 7, 20]) for _ in range(layers)]
    found = balanced_map(costs, stages)
    assert sorted(set(found)) == list(range(stages))
    assert found == sorted(found)
    assert max(stage_costs(costs, found)) == cheapest(costs, stages)


def test_equal_layers_are_dealt_as_evenly_as_they_can_be():
    assert balanced_map([1.0] * 8, 4) == [0, 0, 1, 1, 2, 2, 3, 3]
    found = balanced_map([1.0] * 10_000, 64)
    assert max(found.count(stage) for stage in range(64)) == 157  # 10,000 / 64, rounded up


def test_a_layer_that_costs_more_than_all_others_has_a_stage_of_its_own():
    assert balanced_map([1, 1, 1, 9], 2) == [0, 0, 0, 1]
    assert balanced_map([9, 1, 1, 1], 2) == [0, 1, 1, 1]


def test_of_several_best_cuts_rounding_does_not_choose_one():
    found = [
        balanced_map([0.336, *[block] * 24, 13.2], 8)
        for block in (0.9601, 0.9623, 0.9642, 0.9647, 0.9687, 0.9699, 0.9703)
    ]
    assert [found[0].count(stage) for stage in range(8)] == [4, 3, 3, 3, 4, 4, 4, 1]
    assert all(each == found[0] for each in found)
