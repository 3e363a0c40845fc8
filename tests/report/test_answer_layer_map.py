"""Task 1: the layers of each GPU, and where the data moves."""

from tests.report.made_up import moving, result
from tests.report.shown import answer_of, cells, only_section


def test_the_table_shows_the_layers_of_each_gpu_and_the_move(tmp_path):
    answer_of(tmp_path, "task1", result("task1"))
    (row,) = cells(only_section(tmp_path, "task1"))
    assert row["layers of GPU 0"] == "0–2 (3)"
    assert row["layers of GPU 1"] == "3–5 (3)"
    assert row["data moves before layer"] == "3"
    assert "result" not in row


def test_the_answer_says_how_many_layers_and_where_the_data_moves(tmp_path):
    answer = answer_of(tmp_path, "task1", result("task1"))
    assert "GPU 0 gets 3 layers, GPU 1 gets 3 layers." in answer
    assert "from GPU 0 to GPU 1 at the call of `x = x.to(layer_device)` before layer 3" in answer
    assert "the other 5 of 6 calls find it in place" in answer


def test_another_layer_map_gives_another_answer(tmp_path):
    answer = answer_of(tmp_path, "task1", result("task1", gpu_of_layer=[0, 1, 1, 1, 1, 1]))
    assert "GPU 0 gets 1 layer, GPU 1 gets 5 layers." in answer
    assert "before layer 1 (" in answer


def test_every_move_that_was_seen_is_named(tmp_path):
    answer = answer_of(tmp_path, "task1", result("task1", gpu_of_layer=[0, 1, 1, 0, 0, 1]))
    assert "GPU 0 to GPU 1, GPU 1 to GPU 0, GPU 0 to GPU 1" in answer
    assert "before layer 1, 3, 5 (" in answer
    assert "the other 3 of 6 calls" in answer


def test_where_nothing_was_seen_to_move_the_answer_says_so(tmp_path):
    still = moving(result("task1"), moved_before_layers=[], moves_forward=0, by_pair=[])
    assert "No data moved in forward()." in answer_of(tmp_path, "task1", still)
