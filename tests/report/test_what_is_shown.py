"""Without `--grid`, the tables hold what was submitted, and nothing that nobody asked for."""

import random

import pytest

from report.data.grids.submitted import select_submitted, without_replaced
from report.data.load import load_results
from report.data.selection import select_tables
from tests.report.made_up import case, failed, grid, result, submit, write
from tests.report.made_up_pipeline import scheduled


def shown(folder):
    """The rows of each table, as GPU counts by the grid's name, and what was left out."""
    found = select_submitted(load_results(folder, pytest.fail))
    counts = [(t.grid.name, [row.case.gpus for row in t.rows]) for t in found.tables]
    return counts, found.not_submitted


def submit_all(folder, *cases, **values):
    for one in cases:
        submit(folder, "slurm", one, **values)


def test_task_five_is_answered_by_task_four(tmp_path):
    submit_all(tmp_path, case(gpus=2), case(gpus=5))
    assert shown(tmp_path) == (
        [("task4", [2, 5]), ("task5", [2, 5])],
        ["task1, task2, task3"],
    )


def test_task_three_answers_tasks_four_and_five(tmp_path):
    submit_all(tmp_path, *grid("task3").cases(), grid="task3")
    assert [name for name, _ in shown(tmp_path)[0]] == ["task3", "task4", "task5"]


def test_what_was_not_submitted_of_a_grid_is_a_number_and_no_row(tmp_path):
    submit_all(tmp_path, case(gpus=5))
    tables, left_out = shown(tmp_path)
    assert tables == [("task4", [5]), ("task5", [5])]
    assert left_out[1:] == ["1 of 2 cases of task4", "1 of 2 cases of task5"]


def test_a_value_that_set_replaced_is_not_missing(tmp_path):
    submit_all(tmp_path, case(gpus=2, dim=64), overrides={"gpus": 2, "dim": 64})
    assert shown(tmp_path) == ([("task4", [2]), ("task5", [2])], ["task1, task2, task3"])
    profiles = load_results(tmp_path, pytest.fail)
    (table,) = select_tables(grid("task4"), profiles)
    assert [row.case.gpus for row in table.rows] == [2, 5]
    assert [row.case.gpus for row in without_replaced(table, profiles).rows] == [2]


def test_a_case_that_another_submission_asked_for_stays_missing(tmp_path):
    submit_all(tmp_path, case(gpus=2), overrides={"gpus": 2})
    submit_all(tmp_path, case(gpus=2))
    profiles = load_results(tmp_path, pytest.fail)
    (table,) = select_tables(grid("task4"), profiles)
    assert [row.case.gpus for row in without_replaced(table, profiles).rows] == [2, 5]


def test_a_submitted_case_that_failed_is_a_row(tmp_path):
    submit_all(tmp_path, case(gpus=2), case(gpus=5))
    write(tmp_path, "slurm", result(gpus=2), failed(gpus=5))
    found = select_submitted(load_results(tmp_path, pytest.fail))
    missing = [len(row.missing) for table in found.tables for row in table.rows]
    assert missing == [0, 1, 0, 1]


def test_each_setting_that_was_submitted_has_its_table(tmp_path):
    for dim in (64, 128):
        submit_all(tmp_path, case(gpus=2, dim=dim), case(gpus=5, dim=dim), overrides={"dim": dim})
    found = select_submitted(load_results(tmp_path, pytest.fail))
    of_task4 = [table.changed for table in found.tables if table.grid.name == "task4"]
    assert of_task4 == [{"dim": 64}, {"dim": 128}]


def test_profiles_have_tables_of_their_own(tmp_path):
    submit(tmp_path, "local", case(gpus=2))
    submit_all(tmp_path, case(gpus=2), case(gpus=5))
    found = select_submitted(load_results(tmp_path, pytest.fail)).tables
    assert [(t.grid.name, t.profile) for t in found] == [
        ("task4", "local"), ("task4", "slurm"), ("task5", "local"), ("task5", "slurm"),
    ]  # fmt: skip


def test_results_without_a_ledger_show_the_tables_that_they_fill_most(tmp_path):
    write(tmp_path, "slurm", result(gpus=2))
    tables, _ = shown(tmp_path)
    assert tables == [("task4", [2]), ("task5", [2])]


def test_results_of_separate_gradients_are_those_of_the_grid_that_had_them_by_default(tmp_path):
    before = grid("pipeline").with_overrides({"gradients": "separate"}).cases()
    names = ("gpus", "schedule", "gradients", "micro_batches")
    keys = [{name: getattr(one, name) for name in names} for one in before]
    write(tmp_path, "slurm", *(scheduled(**each) for each in keys))
    assert ("pipeline", [one.gpus for one in before]) in shown(tmp_path)[0]


def test_a_grid_whose_file_is_not_known_has_the_axes_of_its_cases(tmp_path):
    cases = [case(gpus=g, depth=d, dim=64) for d in (8, 16) for g in (2, 4)]
    submit_all(tmp_path, *cases, grid="mine")
    found = select_submitted(load_results(tmp_path, pytest.fail))
    (table,) = found.tables
    assert (table.grid.name, table.grid.title, table.profile) == ("mine", "mine", "slurm")
    assert table.grid.axes == {"depth": (8, 16), "gpus": (2, 4)}
    assert (table.changed, table.grid.setting["dim"]) == ({}, 64)
    assert [row.case for row in table.rows] == cases
    assert found.not_submitted == []


@pytest.mark.parametrize("by", ["mine", "pipeline"])
def test_cases_of_another_grid_that_differ_in_a_limit_alone_are_shown_under_its_name(tmp_path, by):
    cases = [case(gpus=gpus, time_limit_s=5.0) for gpus in (2, 5)]
    submit_all(tmp_path, *cases, grid=by)
    profiles = load_results(tmp_path, pytest.fail)
    assert [t.results for t in select_tables(grid("task4"), profiles)] == [[]]
    (table,) = select_submitted(profiles).tables
    assert (table.grid.name, [row.case for row in table.rows]) == (by, cases)


def test_a_limit_of_set_is_a_table_of_the_grid_that_it_was_set_for(tmp_path):
    cases = [case(gpus=gpus, time_limit_s=5.0) for gpus in (2, 5)]
    submit_all(tmp_path, *cases, overrides={"time_limit_s": 5.0})
    (table,) = select_tables(grid("task4"), load_results(tmp_path, pytest.fail))
    assert [row.case for row in table.rows] == cases


def test_rows_of_an_unknown_grid_are_in_the_order_of_its_axes_however_it_was_submitted(tmp_path):
    in_order = [
        case("pipeline", gpus=gpus, dim=64, schedule=schedule, micro_batches=parts)
        for gpus in (2, 10)
        for schedule, counts in (("naive", [1]), ("gpipe", [4, 16]), ("zbv", [4, 16]))
        for parts in counts
    ]
    submitted = in_order.copy()
    random.Random(0).shuffle(submitted)
    submit_all(tmp_path, *submitted, grid="mine")
    (table,) = select_submitted(load_results(tmp_path, pytest.fail)).tables
    assert [row.case for row in table.rows] == [*table.asked] == in_order
    assert table.grid.axes["schedule"] == ("naive", "gpipe", "zbv")
    assert table.grid.axes["gpus"] == (2, 10)


def test_an_unknown_grid_has_a_table_for_each_setting_of_set(tmp_path):
    for dim in (64, 128):
        cases = case(gpus=2, dim=dim), case(gpus=4, dim=dim)
        submit_all(tmp_path, *cases, grid="mine", overrides={"dim": dim})
    found = select_submitted(load_results(tmp_path, pytest.fail)).tables
    assert [table.changed for table in found] == [{"dim": 64}, {"dim": 128}]
    assert [list(table.grid.axes) for table in found] == [["depth", "gpus"]] * 2


def test_a_file_named_like_a_task_with_other_cases_is_shown_too(tmp_path):
    submit_all(tmp_path, case(gpus=2, depth=48), grid="task4")
    tables, _ = shown(tmp_path)
    assert tables == [("task4", [2])]


def test_a_pipeline_in_small_has_the_rows_of_its_overrides_alone(tmp_path):
    overrides = {"gpus": 2, "micro_batches": 10, "dim": 80, "batch_size": 80}
    cases = grid("pipeline").with_overrides(overrides).cases()
    submit_all(tmp_path, *cases, grid="pipeline", overrides=overrides)
    (table,) = select_submitted(load_results(tmp_path, pytest.fail)).tables
    assert {row.case for row in table.rows} == set(cases)
    profiles = load_results(tmp_path, pytest.fail)
    (named,) = select_tables(grid("pipeline"), profiles)
    assert {row.case for row in without_replaced(named, profiles).rows} == set(cases)
