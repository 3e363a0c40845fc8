"""Task 5: calls and moves, and how they grow with the GPU count."""

from tests.report.made_up import moving, result
from tests.report.shown import answer_of, cells, only_section

LAW = "one move each way for every border between two GPUs, of which there are GPUs - 1"


def test_the_table_counts_calls_moves_and_bytes(tmp_path):
    answer_of(tmp_path, "task5", result(gpus=2), result(gpus=5))
    rows = cells(only_section(tmp_path, "task5"))
    assert [row["`.to` calls per forward"] for row in rows] == ["20", "20"]
    assert [row["moves forward"] for row in rows] == ["1", "4"]
    assert [row["moves backward"] for row in rows] == ["1", "4"]
    assert [row["moved forward"] for row in rows] == ["1 MiB", "4 MiB"]


def test_moves_that_follow_the_number_of_borders_are_said_to(tmp_path):
    answer = answer_of(tmp_path, "task5", result(gpus=2), result(gpus=5))
    assert "on 2 GPUs, depth 20: 20 calls, of which 1 moved data" in answer
    assert "on 5 GPUs, depth 20: 20 calls, of which 4 moved data" in answer
    assert "go from 1 + 1 to 4 + 4, and the data moved from 2 MiB to 8 MiB" in answer
    assert LAW in answer


def test_moves_that_follow_another_law_are_said_not_to(tmp_path):
    many = moving(result(gpus=5), moves_forward=19)
    answer = answer_of(tmp_path, "task5", result(gpus=2), many)
    assert "20 calls, of which 19 moved data" in answer
    assert "this is not the one move for every border" in answer
    assert LAW not in answer


def test_moves_that_do_not_come_back_are_no_move_each_way(tmp_path):
    both = [moving(result(gpus=gpus), moves_backward=0) for gpus in (2, 5)]
    answer = answer_of(tmp_path, "task5", *both)
    assert "go from 1 + 0 to 4 + 0" in answer
    assert LAW not in answer


def test_one_gpu_count_tells_nothing_of_growth(tmp_path):
    answer = answer_of(tmp_path, "task5", result(gpus=5))
    assert "20 calls, of which 4 moved data" in answer
    assert "cannot be told from these results: it takes two values of gpus" in answer


def test_emulated_moves_are_counted_like_real_ones(tmp_path):
    both = [result(gpus=gpus, gpu_name=None) for gpus in (2, 5)]
    assert LAW in answer_of(tmp_path, "task5", *both)
