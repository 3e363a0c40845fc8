"""Task 3: the rule that says which GPU gets layer i, held against what was measured."""

from tests.report.made_up import result
from tests.report.shown import answer_of, cells, only_section

RULE = "Rule: layer i goes to GPU `i * gpus // depth` (whole-number division)"


def splits(*gpu_counts):
    return [result("task3", gpus=gpus) for gpus in gpu_counts]


def test_the_table_shows_the_run_of_layers_of_every_gpu(tmp_path):
    answer_of(tmp_path, "task3", *splits(1, 2, 3, 4, 5))
    rows = cells(only_section(tmp_path, "task3"))
    assert rows[0]["layers of GPU 0"] == "0–19 (20)"
    assert rows[0]["layers of GPU 1"] == "–"
    assert [rows[2][f"layers of GPU {gpu}"] for gpu in range(3)] == [
        "0–6 (7)",
        "7–13 (7)",
        "14–19 (6)",
    ]


def test_layer_maps_that_follow_the_rule_confirm_it(tmp_path):
    answer = answer_of(tmp_path, "task3", *splits(1, 2, 3, 4, 5))
    assert answer.startswith(f"{RULE}. Every layer map measured (5) follows it")
    assert "differ by 1 layer at most" in answer


def test_runs_of_equal_length_are_said_to_be_so(tmp_path):
    assert "runs of one model are equally long" in answer_of(tmp_path, "task3", *splits(2, 4, 5))


def test_a_layer_map_that_breaks_the_rule_is_named(tmp_path):
    broken = result("task3", gpus=2, gpu_of_layer=[0] * 11 + [1] * 9)
    answer = answer_of(tmp_path, "task3", *splits(1, 3), broken)
    assert answer.startswith(f"{RULE}, but the layer maps of {broken.case_id} do not follow it.")
    assert "follows it" not in answer
