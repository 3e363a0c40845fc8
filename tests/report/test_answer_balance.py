"""The balance of a pipeline's stages: the slowest over the mean, and what another would give."""

import re

import msgspec
import pytest

from report.analysis.profiled.stage_balance import balance_of, other_balances
from report.answers.layer_names import layers_words
from tests.report.made_up import measuring, result
from tests.report.made_up_conditions import case_of
from tests.report.made_up_models import answers, cut, gpt, profiled, uninstrumented
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import sentences, shown_in

HOSTILE = "<script>alert(1)</script>\n" * 300
# Of 26 layers with the loss the mean of four stages is 29 / 4 = 7.25 layers' time.
EVEN, BY_TIME = (7, 6, 7, 6), (7, 7, 7, 5)


def uneven(step_s=0.2, **keys):
    return uninstrumented(cut(gpt("gpipe", 4, step_s, **keys), EVEN))


def seen(layers_per_gpu, *, head=6.0, head_alone=3.0, **keys):
    """A pipeline whose blocks and embedding take 1 in a step, and its last layer `head`.

    Alone they take the same, but the last layer `head_alone`, as where the host launches blocks
    too slowly.
    """
    takes = dict(enumerate(layers_per_gpu))
    takes[3] += head - 1
    made = cut(gpt("1f1b", 4, stage_takes=takes, **keys), layers_per_gpu)
    loss = msgspec.structs.replace(made.model.loss, forward_s=0.0, backward_s=0.0)
    *others, last = made.model.layers
    one = others[0].forward_s + others[0].backward_s
    last = msgspec.structs.replace(last, forward_s=0.0, backward_s=one * head_alone)
    return profiled(made, layers=(*others, last), loss=loss)


def test_the_slowest_stage_is_named_with_what_another_balance_would_give(tmp_path):
    text, _, _ = answers(tmp_path, uneven())
    assert (
        "Balanced by layers on 4 GPUs, stage 3 (blocks 19–23 and head) takes 1.24 times as long as "
        "the mean stage (layers timed alone); balanced by time it would be 1.10, which would "
        "shorten a step by up to 12 %."
    ) in text


def test_the_time_of_a_stage_is_that_of_its_instrumented_step_and_not_of_layers_alone(tmp_path):
    text, _, _ = answers(tmp_path, seen((7, 6, 7, 6)))
    # Stages take 7, 6, 7 and 5 + 6, by hand 7, 8, 8 and 2 + 6, of a mean of 7.75.
    assert (
        "stage 3 (blocks 19–23 and head) takes 1.42 times as long as the mean stage (medians under "
        "1F1B); cut by hand (7,8,8,3) it would be 1.03, which would shorten a step by up to 28 %."
    ) in text


def test_the_sentence_on_waiting_names_the_stage_that_the_one_on_balance_names(tmp_path):
    text, _, _ = answers(tmp_path, seen((7, 6, 7, 6)), table="schedules")
    stage = "stage 3 (blocks 19–23 and head) takes 1.42 times as long as the mean"
    assert f"mainly because stages take unequal time: {stage}." in text
    assert f"{stage} stage (medians under 1F1B); " in text


def test_layers_within_a_pipeline_tell_what_a_cut_that_was_not_measured_takes():
    other = other_balances(case_of(seen((7, 6, 7, 6))))["time"]
    counts = [other.stage_of_layer.count(stage) for stage in range(4)]
    measured = balance_of(case_of(seen(counts, balance="time")))
    assert other.ratio == pytest.approx(measured.ratio, rel=0.01)


def test_a_better_cut_than_by_any_rule_is_given_by_hand(tmp_path):
    given = seen((7, 7, 7, 5), head=9.0, balance="time")
    text, _, _ = answers(tmp_path, given)
    assert "takes 1.53 times as long as the mean stage (medians under 1F1B); cut by hand (" in text
    (cut_by_hand,) = [what for what in other_balances(case_of(given)) if what[0].isdigit()]
    assert sum(map(int, cut_by_hand.split(","))) == 26


def test_like_stages_of_unlike_time_tell_of_no_other_balance(tmp_path):
    made = gpt("1f1b", 4, stage_takes={1: 3})
    text, _, _ = answers(tmp_path, cut(made, (7, 6, 7, 6)))
    assert (
        "stage 1 (blocks 6–11) takes 2.00 times as long as the mean stage (medians under "
        "1F1B); what another balance would give cannot be told, as stages of like layers did not "
        "take equally long."
    ) in text


def test_stages_that_are_even_in_all_may_be_uneven_in_each_half(tmp_path):
    made = gpt("gpipe", 2)
    breakdown = made.measurement.breakdown
    shorter = {(1, "forward"), (0, "backward")}
    spans = [
        msgspec.structs.replace(s, end_s=s.end_s - 2e-3) if (s.stage, s.kind) in shorter else s
        for s in breakdown.typical_step
    ]
    made = measuring(made, breakdown=msgspec.structs.replace(breakdown, typical_step=spans))
    text, _, _ = answers(tmp_path, made, gpus=(2,), table="schedules")
    takes = r"takes 1\.\d\d times the mean"
    halves = f"forward {takes} on stage 0 and backward {takes} "
    even = r"stages are even: the slowest is 1\.00 times the mean one \(medians under GPipe\), but "
    together = "mainly because stages are even only over forward and backward together: "
    assert re.search(f"{even}{halves}on stage 1", text)
    assert re.search(f"{together}{halves}on stage 1", text)
    assert "stages take unequal time" not in text


def test_what_it_says_of_another_balance_is_what_that_balance_has():
    before = balance_of(case_of(uneven()))
    after = other_balances(case_of(uneven()))["time"]
    assert [after.stage_of_layer.count(stage) for stage in range(4)] == list(BY_TIME)
    by_time = uninstrumented(cut(gpt("gpipe", 4, balance="time"), BY_TIME))
    measured = balance_of(case_of(by_time))
    assert measured.ratio == after.ratio
    assert before.ratio == 9 / 7.25
    assert before.slowest == 3


def test_two_balances_that_were_measured_are_compared_by_a_verdict(tmp_path):
    text, _, _ = answers(tmp_path, uneven(0.2), cut(gpt("gpipe", 4, 0.17, balance="time"), BY_TIME))
    assert (
        "GPipe with 8 micro-batches on 4 GPUs, measured: the one balanced by time takes 15.0 % "
        "less time than the one balanced by layers (95 % CI"
    ) in text
    text, _, _ = answers(
        tmp_path / "same", uneven(0.2), cut(gpt("gpipe", 4, 0.2, balance="time"), BY_TIME)
    )
    assert "measured: no detectable difference between" in text


def test_balances_on_other_hardware_are_not_compared(tmp_path):
    other = gpt("gpipe", 4, 0.1, balance="time", gpu_name="NVIDIA H200")
    text, _, _ = answers(tmp_path, uneven(0.2), cut(other, BY_TIME))
    assert "is faster balanced by layers or balanced by time cannot be told from these" in text


def test_emulated_gpus_have_a_balance_and_no_gain(tmp_path):
    made = uneven(gpu_name=None, emulated=True)
    text, _, _ = answers(tmp_path, made)
    assert "(layers timed alone, on the CPU); balanced by time it would be 1.10." in text
    assert "shorten" not in text


def test_layers_that_nobody_timed_are_balanced_by_their_operations(tmp_path):
    made = uneven()
    untimed = [msgspec.structs.replace(layer, forward_s=None) for layer in made.model.layers]
    text, _, _ = answers(tmp_path, profiled(made, layers=tuple(untimed)))
    assert "stage 3 (blocks 19–23 and head) has 1.14 times the operations of the mean stage" in text
    assert "shorten" not in text


def test_even_stages_are_said_to_be_even(tmp_path):
    text, _, _ = answers(tmp_path, uninstrumented(cut(gpt("gpipe", 2), (14, 12))), gpus=(2,))
    assert "on 2 GPUs, stages are even: the slowest is 1.03 times the mean one" in text


def test_a_linear_stack_and_naive_have_no_answer_on_balance(tmp_path):
    text, _, _ = answers(tmp_path, gpt("naive", 2))
    assert "stage" not in text
    assert balance_of(case_of(scheduled("gpipe", gpus=2))) is None
    assert balance_of(case_of(result("task3", gpus=2))) is None


def test_the_table_of_schedules_tells_of_balance_too(tmp_path):
    text, _, _ = answers(tmp_path, uneven(), table="schedules")
    assert "takes 1.24 times as long as the mean stage" in text


def test_names_of_layers_are_short_whatever_a_user_calls_them():
    assert layers_words(["embedding", "block 0", "block 1"]) == "embedding and blocks 0–1"
    assert layers_words(["layers.3", "layers.4"]) == "layers.3–4"
    assert layers_words(["block 1", "block 3"]) == "block 1 and block 3"
    assert layers_words(["a", "b", "c", "d", "e"]) == "a to e, 5 layers"
    words = layers_words([HOSTILE, ""])
    assert len(words) < 100
    assert "\n" not in words
    assert "(no name)" in words


def varied(given, stage, kind, factors):
    """The pipeline, whose actions of a kind on a stage take these many times as long, in turn."""
    breakdown = given.measurement.breakdown
    spans, at = [], 0
    for span in breakdown.typical_step:
        if (span.stage, span.kind) == (stage, kind):
            end = span.start_s + (span.end_s - span.start_s) * factors[at % len(factors)]
            span, at = msgspec.structs.replace(span, end_s=end), at + 1
        spans.append(span)
    return measuring(given, breakdown=msgspec.structs.replace(breakdown, typical_step=spans))


@pytest.mark.parametrize(
    ("factors", "said"), [((1, 0.3, 0.6, 0.2), True), ((1, 1, 1, 0.2), False), ((1,), False)]
)
def test_a_ratio_of_weight_gradients_that_vary_has_a_caution(tmp_path, factors, said):
    """Those of one stage took 6 to 25 ms, and the ratio from their median stood alone."""
    grid = (
        "axes: {schedule: [zero_bubble], micro_batches: [8]}\ntable: schedules\n"
        "model: {kind: gpt, depth: 24, batch_size: 64, gpus: 4}\n"
        "train: {dtype: bfloat16, optimizer: adam}\n"
    )
    made = varied(gpt("zero_bubble", 4, stage_takes={3: 2}), 3, "weight_gradient", factors)
    section, _ = shown_in(tmp_path, grid, made)
    (line,) = [s for s in sentences(section) if s.startswith("Balanced by layers on 4 GPUs")]
    words = r"with caution, since weight gradients of stage 3 took [\d.]+ to [\d.]+ ms;"
    assert bool(re.search(words, line)) is said, line
