"""What was measured on logical GPUs is called so, in the table and above it."""

import pytest

from tests.report.made_up import HOMEWORK, MIB, grid, result, sharing, write
from tests.report.shown import cells, only_section


def emulation(folder, task="task4"):
    """The facts above the table that speak of emulation."""
    return [fact for fact in only_section(folder, task).facts if "EMULATED" in fact]


@pytest.mark.parametrize("task", HOMEWORK)
def test_every_table_says_that_its_numbers_are_emulated(tmp_path, task):
    cases = grid(task).cases()
    write(tmp_path, "local", *(result(task, gpu_name=None, **c.as_dict()) for c in cases))
    rows = cells(only_section(tmp_path, task))
    assert [row["GPUs"] for row in rows] == [f"{case.gpus} (emulated)" for case in cases]
    (fact,) = emulation(tmp_path, task)
    come = "comes" if len(cases) == 1 else "come"
    assert f"{len(cases)} of {len(cases)} results {come} from logical GPUs" in fact
    assert "share the CPU" in fact


def test_a_table_of_both_says_which_rows_are_emulated(tmp_path):
    write(tmp_path, "local", result(gpus=2), result(gpus=5, emulated=True))
    assert [row["GPUs"] for row in cells(only_section(tmp_path))] == ["2", "5 (emulated)"]
    assert "1 of 2 results comes from logical GPUs that share one GPU" in emulation(tmp_path)[0]


def test_real_results_are_not_called_emulated(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5))
    assert [row["GPUs"] for row in cells(only_section(tmp_path))] == ["2", "5"]
    assert emulation(tmp_path) == []


def test_memory_of_a_logical_gpu_has_no_column(tmp_path):
    write(tmp_path, "local", result(gpus=2, gpu_name=None))
    row = cells(only_section(tmp_path))[0]
    assert not [column for column in row if column.startswith("memory of")]


def test_beside_a_real_gpu_the_memory_of_a_logical_one_is_unknown(tmp_path):
    write(tmp_path, "local", result(gpus=2), result(gpus=5, emulated=True))
    real, logical = cells(only_section(tmp_path))
    assert real["memory of GPU 0"] == "1000 MiB"
    assert logical["memory of GPU 0"] == "–"


def test_logical_gpus_of_one_gpu_have_their_memory_together(tmp_path):
    write(tmp_path, "local", sharing(result(gpus=2, emulated=True), 300 * MIB))
    row = cells(only_section(tmp_path))[0]
    assert row["memory of all GPUs together"] == "300 MiB"
    assert "memory of GPU 0" not in row
