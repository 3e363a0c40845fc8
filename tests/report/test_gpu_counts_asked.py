"""GPU counts that a table asks for and nobody measured have what the rule says of them."""

import pytest

from report.answers.of_gpus import asked
from report.data.load import load_results
from report.data.selection import select_tables
from study.grids.grid import Grid
from tests.report.made_up import failed, grid, result, submit, write


def remarks(folder, of_grid, *given):
    """The remarks below the one table of these results."""
    write(folder, "slurm", *given)
    (table,) = select_tables(of_grid, load_results(folder, pytest.fail))
    return [line for answer in asked.answer(table) for line in answer.sentences]


def test_a_machine_with_four_gpus_gets_the_rule_for_five(tmp_path):
    given = [result("task3", gpus=gpus) for gpus in (1, 2, 4)]
    assert remarks(tmp_path, grid("task4"), *given) == [
        "The homework asks for 5 GPUs, too; 1, 2 and 4 were measured. By the rule that layer i "
        "goes to GPU `i * gpus // depth`, in whole-number division, 5 GPUs get 4, 4, 4, 4 and 4 of "
        "20 layers, and data moves 4 times each way."
    ]


def test_counts_that_were_set_when_submitting_do_not_change_what_is_asked(tmp_path):
    four = result(gpus=4)
    submit(tmp_path, "slurm", four.case, overrides={"gpus": 4})
    (line,) = remarks(tmp_path, grid("task4"), four)
    assert line.startswith("The homework asks for 2 and 5 GPUs, too; only 4 were measured.")
    assert "2 GPUs get 10 and 10 of 20 layers, and data moves 1 time each way." in line


def test_where_all_were_measured_there_is_no_remark(tmp_path):
    assert remarks(tmp_path, grid("task4"), result(gpus=2), result(gpus=5)) == []


def test_a_case_that_failed_was_not_measured(tmp_path):
    (line,) = remarks(tmp_path, grid("task4"), result(gpus=2), failed(gpus=5))
    assert line.startswith("The homework asks for 5 GPUs, too; only 2 were measured.")


def test_a_grid_of_ones_own_is_no_homework_and_names_its_groups(tmp_path):
    axes = {"depth": (10, 20), "gpus": (2, 3)}
    setting = {k: v for k, v in result().case.as_dict().items() if k not in (*axes, "repeat")}
    own = Grid("mine", "mine.yaml", "Mine", "memory", axes, setting)
    given = [result(depth=d, gpus=g) for d, g in ((10, 2), (10, 3), (20, 2))]
    (line,) = remarks(tmp_path, own, *given)
    assert line.startswith("Depth 20: The table asks for 3 GPUs, too; only 2 were measured.")
    assert "3 GPUs get 7, 7 and 6 of 20 layers" in line
