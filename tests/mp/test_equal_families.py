"""Every kind of model is compared with the unsplit one, and a split that is wrong is refused."""

import pytest
import torch

from mp.correctness.check import check_equals_unsplit
from mp.correctness.dropout import without_dropout
from mp.correctness.possible import check_moves
from mp.engine import Communicator
from mp.families.registry import workload_of
from mp.hardware.devices import choose_devices
from mp.single.engine import SingleEngine
from study.errors import CaseError
from study.schedules import PIPELINES
from study.validation import make_case
from tests.mp.forked_families import BAD, FAMILIES, NOTED, SIZES
from tests.mp.odd_models import ODD
from tests.mp.said import lines_of

pytestmark = pytest.mark.long

NOTES = {
    "conv batch": " BatchNorm normalises 8 rows at a time instead of {rows}: not the training of "
    "one GPU.",
    "dropout": " The gradients were checked with dropout switched off; training has it on.",
    "noise": " The model draws random numbers outside of nn.Dropout (first in step 3); gradients "
    "were not compared.",
    "frozen half": " step 0 to step 3 are frozen: a stage that has only frozen layers before it "
    "still passes gradients back, which one GPU leaves out.",
}


@pytest.fixture(scope="module")
def said():
    """What 2 and 4 ranks say, by (ranks, what, model, how)."""
    return {tuple(key): words for *key, words in lines_of("forked_families", "2", "4")}


@pytest.mark.parametrize(
    ("ranks", "family"),
    [
        *((2, name) for name in FAMILIES if name not in (*BAD, "ignored")),
        *((4, name) for name in FAMILIES if name not in (*BAD, *NOTED)),
    ],
)
def test_a_model_has_the_gradients_of_one_piece_on_all_pipelines(said, family, ranks):
    expected = "equal" + NOTES.get(family, "").format(rows=8 * ranks)
    found = [said[ranks, "check", family, schedule] for schedule in PIPELINES]
    assert found == [expected] * len(PIPELINES)


def test_a_loss_that_is_no_mean_over_rows_is_noted(said):
    for schedule in PIPELINES:
        words = said[2, "check", "ignored", schedule]
        assert words.startswith("equal The loss is no mean over the rows")


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("shared buffer", "step 0: 1.table and step 1: 1.table and step 2: 1.table and 5 more are"),
        ("same memory", "step 2: 0.weight and step 6: 0.weight are two tensors in the same memory"),
        ("shapes change", "step 7 returns (4, "),
        ("dict", "step 2 returns a dict; return a tensor, or a tuple of tensors"),
        ("columns first", "step 2 returns a tensor (8, 4) of 4 rows; its first dimension must be"),
    ],
)
def test_what_no_split_can_pass_on_is_refused_with_the_layers_name(said, family, words):
    assert words in said[2, "check", family, "1f1b"]


@pytest.mark.parametrize("schedule", PIPELINES)
@pytest.mark.parametrize("ranks", [2, 4])
def test_shared_weights_are_those_of_one_piece_after_three_steps(said, ranks, schedule):
    assert said[ranks, "steps", "gpt tied", schedule] < 1e-5


@pytest.mark.parametrize(
    ("family", "harm", "words"),
    [
        ("linear", "drop", "the gradient of layer 3: weight on rank 0 is missing"),
        ("gpt", "scale", "the gradient of block 3: attended.weight on rank 1 differs"),
        ("gpt tied", "drop", "the gradient of head: scores.weight on rank 1 is missing"),
        ("conv group", "compute_otherwise", "differs from the unsplit model's"),
        ("conv batch", "forget_buffer", "the buffer of stem: 1.running_mean on rank 0 differs"),
        ("moe", "scale", "the gradient of step 2: experts.1.weight on rank 0 differs"),
        ("tuple skip", "compute_otherwise", "differs from the unsplit model's"),
        ("1f1b", "all-reduce", "the gradient of embedding: token.weight on rank 0 differs"),
        ("interleaved_1f1b", "all-reduce", "of embedding: token.weight on rank 0 differs"),
    ],
)
def test_a_split_that_is_wrong_is_refused(said, family, harm, words):
    assert words in said[2, "broken", family, harm]


def test_the_gradient_of_a_shared_weight_is_added_up_once_and_counted(said):
    collectives, spans, _ = said[2, "transfers", "gpt tied", "1f1b"]
    assert collectives == [["all_reduce", "backward", 1, 16 * 8 * 4]]  # vocab, dim, float32
    assert spans == [[0, 1]]
    assert said[2, "transfers", "gpt", "1f1b"][:2] == [[], [[]]]


def test_every_tensor_of_a_tuple_is_sent(said):
    (size,) = said[2, "transfers", "tuple skip", "1f1b"][2]
    assert size == (8 * 8 * 4 + 8 * 8 * 4 + 8 * 8) // 3  # x, the skip, and integers, of 8 rows


def single(family, gpus, **keys):
    sizes = FAMILIES[family] | SIZES.get(FAMILIES[family].get("kind"), {}) | {"batch_size": 8}
    case = make_case(sizes | {"gpus": gpus, "warmup_steps": 1} | keys, "test")
    devices = choose_devices(gpus, "cpu")
    return SingleEngine(case, Communicator(devices), ODD.get(family, workload_of))


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in BAD])
def test_a_model_has_the_gradients_of_one_piece_in_one_process(family):
    gpus = 1 if family == "gpt tied" else 3
    notes = check_equals_unsplit(single(family, gpus))
    assert len(notes) == (family in ("dropout", "noise"))


def test_every_tensor_of_a_tuple_moves_where_the_gpu_changes():
    engine = single("tuple skip", 3)
    step = engine.build(engine.case)
    seen = engine.observe_transfers(step)
    check_moves(engine.place(print), seen)
    assert (seen.moves_forward, seen.moves_backward) == (6, 4)  # integers have no gradient
    timeline = engine.record_timeline(step)
    assert sum(span.kind == "transfer_in" for span in timeline.spans) == 10
    assert all(span.start_s <= span.end_s for span in timeline.spans)
    sizes = engine.workload.message_bytes([0] * 4 + [1] * 4, 8)
    assert sizes == dict.fromkeys([(0, 1), (1, 0)], 8 * 8 * 4 * 2 + 8 * 8)


def test_a_weight_of_layers_on_two_gpus_of_one_process_is_refused():
    engine = single("gpt", 2)
    tied = make_case({**engine.case.as_dict(), "gpus": 1, "tied": True}, "test")
    engine.make_workload = lambda case: workload_of(type(case)(**{**tied.as_dict(), "gpus": 2}))
    words = "embedding: token.weight and head: scores.weight are one tensor, which cannot lie on"
    with pytest.raises(CaseError, match=words):
        engine.build(engine.case)


def test_two_tensors_in_one_memory_are_refused_on_one_gpu_too():
    with pytest.raises(CaseError, match="in the same memory, and a split has one for each"):
        check_equals_unsplit(single("same memory", 1))


def test_dropout_is_restored():
    layers = [torch.nn.Dropout(0.3), torch.nn.MultiheadAttention(4, 2, dropout=0.2)]
    with without_dropout(layers):
        assert (layers[0].p, layers[1].dropout) == (0, 0)
    assert (layers[0].p, layers[1].dropout) == (0.3, 0.2)
