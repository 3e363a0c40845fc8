"""Task 3: the rule that says which GPU gets layer i, checked against what was measured."""

from report.answers import placement_rule
from report.data.measured import measured
from tests.report.made_up import result
from tests.report.shown import answer_of, cells, only_section

RULE = "Layer i goes to GPU `i * gpus // depth`, in whole-number division"


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
    assert answer.startswith(f"{RULE}.\nIt is even because")
    assert "Every layer map measured (5) follows the rule" in answer
    assert "differ by 1 layer at most" in answer


def test_examples_work_out_the_most_gpus_and_a_remainder(tmp_path):
    answer = answer_of(tmp_path, "task3", *splits(1, 2, 3, 4, 5))
    assert (
        "Example, 20 layers on 5 GPUs: layers 0–3 on GPU 0, 4–7 on GPU 1, 8–11 on GPU 2, 12–15 on "
        "GPU 3 and 16–19 on GPU 4; for layer 5, `5 * 5 // 20` is 1."
    ) in answer
    assert (
        "Example, 20 layers on 3 GPUs: layers 0–6 on GPU 0, 7–13 on GPU 1 and 14–19 on GPU 2; for "
        "layer 8, `8 * 3 // 20` is 1. `20 // 3` is 6, and 2 layers are left over: 7, 7 and 6 "
        "layers."
    ) in answer


def test_the_second_answer_says_what_the_code_does(tmp_path):
    answer_of(tmp_path, "task3", *splits(1, 2), result("task3", gpus=5, emulated=True))
    code = only_section(tmp_path, "task3").answers[1]
    assert code.question == "How does the code find all GPUs and use them?"
    assert "every GPU that `torch.cuda.device_count()` reports" in code.sentences[0]
    assert code.sentences[0].endswith("it ran on 1, 2 and 5 GPUs (5 emulated).")


def test_runs_of_equal_length_are_said_to_be_so(tmp_path):
    assert "runs of one model are equally long" in answer_of(tmp_path, "task3", *splits(2, 4, 5))


def test_a_layer_map_that_breaks_the_rule_is_named(tmp_path):
    broken = result("task3", gpus=2, gpu_of_layer=[0] * 11 + [1] * 9)
    answer = answer_of(tmp_path, "task3", *splits(1, 3), broken)
    assert answer.startswith(
        f"{RULE} is the rule, but the layer maps of {broken.case_id} do not follow it."
    )
    assert "follows the rule" not in answer
    assert placement_rule.headlines([measured(broken)]) == []


def test_gpu_counts_that_the_task_asks_for_get_what_the_rule_says(tmp_path):
    answer = answer_of(tmp_path, "task3", *splits(1, 2, 3, 4))
    assert (
        "The homework asks for 5 GPUs, too; 1, 2, 3 and 4 were measured. By the rule that layer i "
        "goes to GPU `i * gpus // depth`, in whole-number division, 5 GPUs get 4, 4, 4, 4 and 4 of "
        "20 layers, and data moves 4 times each way."
    ) in answer
    assert "asks for" not in answer_of(tmp_path / "all", "task3", *splits(1, 2, 3, 4, 5))


def test_the_headline_has_the_rule_and_its_result():
    (line,) = placement_rule.headlines([measured(r) for r in splits(1, 2, 5)])
    assert line == (
        "Placement: layer i goes to GPU `i * gpus // depth`, in whole-number division: 20 layers "
        "on 5 GPUs are 4, 4, 4, 4 and 4."
    )
