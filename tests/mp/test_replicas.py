"""Replicas of a pipeline train what the unsplit model trains, under every schedule, in 4 ranks."""

import pytest
import torch

from mp.inspection.text import describe
from study.validation import make_case
from tests.mp.forked_replicas import EVERYWHERE, IN_SOME, MORE, STEPS
from tests.mp.said import lines_of
from tests.report.made_up import profile

pytestmark = pytest.mark.long

NOTES = {
    "conv batch": " BatchNorm normalises 2 rows at a time instead of 16: not the training of one "
    "GPU.",
    "dropout": " The gradients were checked with dropout switched off; training has it on.",
    "frozen half": " step 0 to step 3 are frozen: a stage that has only frozen layers before it "
    "still passes gradients back, which one GPU leaves out.",
}


@pytest.fixture(scope="module")
def said():
    """What 4 ranks say, by (what, model, schedule)."""
    return {tuple(key): words for *key, words in lines_of("forked_replicas")}


@pytest.mark.parametrize("family", [*EVERYWHERE, *IN_SOME])
def test_a_model_has_the_gradients_of_one_piece_on_all_pipelines(said, family):
    found = {words for (what, of, _), words in said.items() if (what, of) == ("check", family)}
    assert found == {"equal" + NOTES.get(family, "")}


def test_three_steps_train_the_weights_of_one_piece(said):
    assert max(said["steps", *pair] for pair in STEPS) < 1e-5


@pytest.mark.parametrize(("key", "value", "schedule"), MORE)
def test_they_go_together_with_other_keys(said, key, value, schedule):
    assert said["check", value, schedule] == "equal"
    # Adam divides by gradients as small as rounding.
    assert said["steps", value, schedule] < (1e-3 if key == "optimizer" else 1e-5)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("drop", "the gradient of layer 3: weight on rank 1 is missing"),
        ("scale", "the gradient of layer 3: weight on rank 1 differs from the unsplit"),
        ("compute_otherwise", "differs from the unsplit"),
        ("buffer", "the buffer of stem: 1.running_mean on rank 1 differs from the unsplit"),
        ("replicas", "the gradient of layer 0: weight on rank 0 differs from the unsplit"),
        ("shared", "the gradient of embedding: token.weight on rank 0 differs from the unsplit"),
    ],
)
def test_a_fault_of_one_replica_is_found(said, harm, words):
    assert words in said["fault", harm, "1f1b"]


def test_gradients_that_a_replica_lacks_are_those_of_the_other_and_none_where_both_lack_them(said):
    assert said["left out", "factory", "1f1b"] == [[[2.0], [1.0], None]] * 4


def test_each_replica_moves_its_micro_batches_and_each_stage_sums_its_gradients_once(said):
    seen = said["transfers", "linear", "1f1b"]
    assert seen["pairs"] == seen["links"] == [[0, 2], [1, 3], [2, 0], [3, 1]]
    assert seen["moves"] == [8, 8]  # 2 replicas with 4 micro-batches
    assert seen["moved before"] == [4]
    assert seen["collectives"] == [["all_reduce", "backward", 2, seen["parameters"]]]
    assert seen["collective spans"] == [0, 1, 2, 3]
    first, second = [0, 1, 2, 3], [4, 5, 6, 7]
    assert seen["micro-batches"] == [first, second, first, second]
    assert seen["placement"] == [[0] * 4 + [2] * 4, [4] * 4]


def test_a_v_folds_within_each_replica(said):
    seen = said["transfers", "linear", "zbv"]
    assert seen["moves"] == [16, 16]
    assert seen["placement"] == [[0, 0, 2, 2, 2, 2, 0, 0], [4] * 4]


def test_a_tied_weight_is_summed_within_each_replica_too(said):
    seen = said["transfers", "gpt tied", "1f1b"]
    tied = 16 * 8 * 4  # vocabulary, dim, bytes: in 2 stages, and reduced in each replica
    assert seen["collectives"] == [["all_reduce", "backward", 4, seen["parameters"] + 3 * tied]]


def test_an_estimate_of_memory_has_each_stage_on_every_replica():
    keys = {"kind": "gpt", "depth": 6, "dim": 8, "heads": 2, "seq_len": 4, "vocab": 16}
    keys |= {"gpus": 4, "schedule": "1f1b", "micro_batches": 4, "data_parallel": 2}
    case = make_case(keys, "test")
    text = describe(case, profile(case), torch.device("cpu"), [], [])
    rows = [line for line in text.splitlines() if line.startswith("1f1b, 2 replicas")]
    assert [row.split()[3] for row in rows] == ["4", "8"]
    first, again, second, last = rows[0].split()[5:9]
    assert first == again
    assert second == last
