"""A table of memory has every GPU count that was measured in its setting."""

import msgspec
import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from tests.report.made_up import failed, grid, result, submit, write


def tables(folder, name="task4"):
    return select_tables(grid(name), load_results(folder, pytest.fail))


def gpus(table):
    return [row.case.gpus for row in table.rows]


def test_gpu_counts_of_another_task_are_rows_in_order(tmp_path):
    write(tmp_path, "slurm", *(result("task3", gpus=n) for n in (1, 2, 3, 5)))
    (table,) = tables(tmp_path)
    assert gpus(table) == [1, 2, 3, 5]
    assert all(row.measured for row in table.rows)


def test_a_count_that_the_grid_asks_for_stays_though_it_is_missing(tmp_path):
    write(tmp_path, "slurm", *(result("task3", gpus=n) for n in (1, 2, 4)))
    (table,) = tables(tmp_path)
    assert gpus(table) == [1, 2, 4, 5]
    assert [case.gpus for case in table.asked] == [2, 5]


def test_what_failed_or_was_measured_otherwise_is_no_row(tmp_path):
    other = msgspec.structs.replace(result(gpus=3), case=result(gpus=3, dim=64).case)
    other = msgspec.structs.replace(other, case_id=other.case.case_id)
    write(tmp_path, "slurm", result(gpus=2), failed(gpus=1), other)
    assert gpus(tables(tmp_path)[0]) == [2, 5]


def test_transfers_have_other_counts_only_where_one_of_their_own_is_missing(tmp_path):
    write(tmp_path, "slurm", *(result("task3", gpus=n) for n in (1, 2, 4)))
    assert gpus(tables(tmp_path, "task5")[0]) == [1, 2, 4, 5]
    write(tmp_path, "slurm", result("task3", gpus=5))
    assert gpus(tables(tmp_path, "task5")[0]) == [2, 5]


def test_other_kinds_of_tables_keep_their_rows(tmp_path):
    write(tmp_path, "slurm", *(result("task2", gpus=2, depth=n) for n in (6, 12)))
    assert gpus(tables(tmp_path, "task2")[0]) == [2, 2, 2]


def test_a_count_that_was_set_for_another_task_makes_no_table_of_the_same_cases(tmp_path):
    """`--grid task3 --set gpus=4` once gave task 4 a second table, with every count as well."""
    given = [result("task3", gpus=n) for n in (1, 2, 4, 5)]
    write(tmp_path, "slurm", *given)
    for one in given:
        submit(tmp_path, "slurm", one.case, grid="task3", overrides={"gpus": one.case.gpus})
    (table,) = tables(tmp_path)
    assert (gpus(table), table.changed) == ([1, 2, 4, 5], {})


def test_a_count_that_was_set_when_submitting_is_shown_once(tmp_path):
    given = [result(gpus=n) for n in (2, 4)]
    write(tmp_path, "slurm", *given)
    for one in given:
        submit(tmp_path, "slurm", one.case, overrides={"gpus": one.case.gpus})
    assert [gpus(table) for table in tables(tmp_path)] == [[2, 4, 5]]
