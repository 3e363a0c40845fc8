"""The ids of what was measured before models had kinds."""

import hashlib

import pytest

from study.grids.file import load_grids

# How many cases, and the first digits of the sha256 of their ids, by the code before.
IDS = {
    "launch": (6, "afdc5610b8ccb203"),
    "pipeline": (36, "ab8511e7ac00eb80"),
    "smoke": (3, "fa65c978ac19a7c6"),
    "task1": (1, "ae975e5003231165"),
    "task2": (3, "4b005b24e9569c61"),
    "task3": (5, "0ee5b7f9b369bc93"),
    "task4": (2, "3f02f65fbce40338"),
    "task5": (2, "3f02f65fbce40338"),
}


@pytest.mark.parametrize("name", IDS)
def test_the_cases_of_a_grid_of_linear_stacks_keep_their_ids(name):
    (grid,) = load_grids([name])
    if name == "pipeline":  # their default depends on the schedule now
        grid = grid.with_overrides({"gradients": "separate"})
    ids = [case.case_id for case in grid.cases()]
    assert (len(ids), hashlib.sha256(" ".join(ids).encode()).hexdigest()[:16]) == IDS[name]
