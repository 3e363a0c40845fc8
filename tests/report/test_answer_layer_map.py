"""Task 1: the layers of each GPU, and where the data moves."""

import pytest

from report.answers import layer_map
from report.data.measured import measured
from tests.report.made_up import moving, result
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import answer_of, cells, only_section


def answers(folder, *results):
    """The answers to Q1 and Q2."""
    answer_of(folder, "task1", *results)
    return [" ".join(answer.sentences) for answer in only_section(folder, "task1").answers]


def test_the_table_shows_the_layers_of_each_gpu_and_the_move(tmp_path):
    answer_of(tmp_path, "task1", result("task1"))
    (row,) = cells(only_section(tmp_path, "task1"))
    assert row["layers of GPU 0"] == "0–2 (3)"
    assert row["layers of GPU 1"] == "3–5 (3)"
    assert row["data moves before layer"] == "3"
    assert "result" not in row


def test_the_questions_are_those_of_the_task(tmp_path):
    answer_of(tmp_path, "task1", result("task1"))
    assert [answer.question for answer in only_section(tmp_path, "task1").answers] == [
        "How many layers does each GPU get?",
        "At which point of forward() does the data move from one GPU to the next?",
    ]


def test_the_first_answer_has_the_counts_and_the_rule_of_the_split(tmp_path):
    layers, _ = answers(tmp_path, result("task1"))
    assert layers == (
        "GPU 0 gets 3 layers (0–2) and GPU 1 gets 3 layers (3–5). The split is "
        "`if i < depth // 2`: layer i goes to GPU 0 if that is true, else to GPU 1. `6 // 2` is 3, "
        "so it is true for the first 3 layers and not for the other 3."
    )


def test_the_second_answer_names_the_call_before_the_fourth_layer(tmp_path):
    _, where = answers(tmp_path, result("task1"))
    assert where == (
        "At the call of `x = x.to(layer_device)` before layer 3, the fourth layer (layers count "
        "from 0), from GPU 0 to GPU 1. The other 5 of 6 calls find the data in place and copy "
        "nothing."
    )


def test_a_layer_map_that_breaks_the_rule_is_said_to(tmp_path):
    layers, where = answers(tmp_path, result("task1", gpu_of_layer=[0, 1, 1, 1, 1, 1]))
    assert layers.startswith("GPU 0 gets 1 layer (0) and GPU 1 gets 5 layers (1–5).")
    assert layers.endswith("This is not what the rule of the split `half` gives.")
    assert "before layer 1, the second layer (" in where


def test_every_move_that_was_seen_is_named(tmp_path):
    layers, where = answers(tmp_path, result("task1", gpu_of_layer=[0, 1, 1, 0, 0, 1]))
    assert "GPU 0 gets 3 layers in 2 runs (0, 3–4)" in layers
    assert "before layers 1, 3 and 5 (layers count from 0)" in where
    assert "from GPU 0 to GPU 1 and GPU 1 to GPU 0." in where
    assert "The other 3 of 6 calls" in where


def test_where_nothing_was_seen_to_move_the_answer_says_so(tmp_path):
    still = moving(result("task1"), moved_before_layers=[], moves_forward=0, by_pair=[])
    assert answers(tmp_path, still)[1] == "Nowhere: no data moved in forward()."


def test_sentences_name_their_case_where_there_are_several():
    both = [measured(result(gpus=gpus)) for gpus in (2, 5)]
    layers, where = layer_map.answer(both)
    assert layers.sentences[1].startswith("5 GPUs: GPU 0 gets 4 layers (0–3), GPU 1 gets 4 layers")
    assert "The rule is that layer i goes to GPU `i * gpus // depth`" in layers.sentences[1]
    assert where.sentences[1].startswith("5 GPUs: At the call of")
    assert "before layers 4, 8, 12 and 16 (" in where.sentences[1]


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ("1f1b", "Each GPU has a process of its own, which sends to the next: GPU 0 to GPU 1"),
        ("tensor", "Nowhere: nothing is passed on between layers."),
    ],
)
def test_other_schedules_call_no_to(schedule, sentence):
    _, where = layer_map.answer([measured(scheduled(schedule))])
    assert where.sentences[0].startswith(sentence)


def test_the_headline_stands_alone():
    assert layer_map.headlines([measured(result("task1"))]) == [
        "Layers: of 6 layers, GPU 0 gets 3 layers (0–2) and GPU 1 gets 3 layers (3–5); in "
        "forward(), the data moves before layer 3, the fourth layer (layers count from 0)."
    ]
    emulated = layer_map.headlines([measured(result("task1", gpu_name=None))])
    assert emulated[0].endswith(", on GPUs that were emulated by the CPU.")
