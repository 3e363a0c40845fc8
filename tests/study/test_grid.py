"""Which cases a grid asks for."""

import msgspec
import pytest

from study.errors import ConfigError
from study.grids.file import known_grids, load_grids
from study.grids.grid import MAX_CASES, Grid

TASKS = ["task1", "task2", "task3", "task4", "task5"]


def grid(**axes):
    return Grid("mine", "mine.yaml", "Mine", "memory", axes, {"dim": 16})


def test_axes_are_crossed_in_the_order_of_the_file():
    cases = grid(depth=(12, 6), gpus=(2, 1)).cases()
    assert [(c.depth, c.gpus) for c in cases] == [(12, 2), (12, 1), (6, 2), (6, 1)]
    assert {c.dim for c in cases} == {16}


def test_ten_million_cases_are_refused_before_one_is_made():
    with pytest.raises(ConfigError, match=rf"10000000 cases are more than {MAX_CASES}"):
        grid(depth=(8,), gpus=(2,), seed=range(10_000), steps=range(1, 1001)).cases()


def test_one_impossible_point_refuses_the_grid():
    with pytest.raises(ConfigError, match=r"mine.yaml: gpus: 5 for 4 layers"):
        grid(depth=(20, 4), gpus=(2, 5)).cases()


SET = {
    "an axis": ({"gpus": 5, "depth": 4}, "mine.yaml with --set depth=4 --set gpus=5: gpus: 5 for"),
    "a key of all cases": (
        {"schedule": "gpipe", "micro_batches": 3},
        "mine.yaml with --set micro_batches=3 --set schedule=gpipe: micro_batches: 3 with",
    ),
    "a text with a space": (
        {"gpus": 5, "depth": 4, "balance": "a b"},
        "mine.yaml with --set 'balance=a b' --set depth=4 --set gpus=5: ",
    ),
}


@pytest.mark.parametrize("what", SET)
def test_an_impossible_point_of_a_set_value_names_the_file_and_the_option(what):
    overrides, said = SET[what]
    with pytest.raises(ConfigError) as caught:
        grid(depth=(20,), gpus=(2,)).with_overrides(overrides).cases()
    assert str(caught.value).startswith(said)


def test_every_known_grid_can_be_read_and_crossed():
    assert all(grid.cases() for name in known_grids() for grid in load_grids([name]))


def test_the_homework_is_its_five_tasks():
    assert load_grids(["homework"]) == load_grids(TASKS)
    assert [grid.name for grid in load_grids(["homework"])] == TASKS


def test_task_five_asks_for_the_cases_of_task_four():
    four, five = load_grids(["task4", "task5"])
    assert four.cases() == five.cases()
    assert four.table != five.table


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("task1", [(6, 2)]),
        ("task2", [(6, 2), (12, 2), (24, 2)]),
        ("task4", [(20, 2), (20, 5)]),
    ],
)
def test_a_task_asks_for_the_points_of_the_homework(name, points):
    (task,) = load_grids([name])
    assert [(case.depth, case.gpus) for case in task.cases()] == points


def test_overriding_an_axis_leaves_one_point_of_it():
    cases = grid(depth=(20,), gpus=(2, 5)).with_overrides({"gpus": 4}).cases()
    assert [case.gpus for case in cases] == [4]


def test_overriding_another_key_keeps_the_axes():
    cases = grid(depth=(20,), gpus=(2, 5)).with_overrides({"dim": 8, "seed": 3}).cases()
    assert [(case.gpus, case.dim, case.seed) for case in cases] == [(2, 8, 3), (5, 8, 3)]


def test_an_override_leaves_the_grid_itself_as_it_was():
    given = grid(depth=(20,), gpus=(2, 5))
    given.with_overrides({"gpus": 4, "dim": 8})
    assert given == grid(depth=(20,), gpus=(2, 5))


def test_repeats_come_round_after_round():
    cases = grid(depth=(20,), gpus=(2, 5)).with_repeats(3).cases()
    assert [(c.gpus, c.repeat) for c in cases] == [(2, 1), (5, 1), (2, 2), (5, 2), (2, 3), (5, 3)]


def test_a_grid_contains_the_repeats_of_its_cases():
    given = grid(depth=(20,), gpus=(2, 5))
    assert all(given.contains(case) for case in given.with_repeats(2).cases())


def test_a_grid_that_repeats_itself_takes_no_repeats_from_outside():
    with pytest.raises(ConfigError, match="sets repeat itself"):
        grid(depth=(20,), gpus=(2,)).with_overrides({"repeat": 2}).with_repeats(2)


def test_repeats_count_among_the_cases_that_are_too_many():
    with pytest.raises(ConfigError, match="cases are more than"):
        grid(depth=(20,), gpus=(2,), seed=range(1000)).with_repeats(1000).cases()


@pytest.mark.parametrize("setting", [{}, {"repeat": 2}])
def test_a_grid_contains_its_own_cases_whatever_repeat_it_sets(setting):
    given = grid(depth=(20,), gpus=(2, 5)).with_overrides(setting)
    assert all(given.contains(case) for case in given.cases())


def test_a_grid_without_a_newer_key_has_the_cases_of_before_alone(tmp_path):
    (tmp_path / "g.yaml").write_text("axes: {depth: [4], gpus: [1]}\n")
    (grid,) = load_grids([str(tmp_path / "g.yaml")])
    (plain,) = grid.cases()
    again = msgspec.structs.replace(plain, recompute="layers")
    assert "recompute" not in plain.as_dict()
    assert grid.contains(plain)
    assert not grid.contains(again)
    assert grid.with_overrides({"recompute": "layers"}).cases() == [again]
