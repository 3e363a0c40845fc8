"""Task 4: are all GPUs used, and are more of them faster; the answer follows the numbers."""

import re

import msgspec
import pytest

from report.answers import memory
from report.answers.memory import _adding_gpus
from report.data.measured import measured
from report.wording.cautions import spelled_out
from tests.report.made_up import MIB, failed, measuring, result, sharing
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import answer_of, only_section

QUESTION = "Whether adding GPUs makes training faster cannot be told from these results"

WIDE = [0.06, 0.1, 0.07, 0.12, 0.09, 0.05, 0.08, 0.11] * 5


def steady(step_s):
    """Steps that vary by 0.1 % about this median."""
    return [step_s * (1 + 0.0005 * (k % 5 - 2)) for k in range(41)]


def counts(times_s, **keys):
    """Cases that differ in GPUs, by the median step of each count."""
    return [result("task3", gpus=gpus, step_s=step_s, **keys) for gpus, step_s in times_s.items()]


def adding(*given):
    """The sentences on adding GPUs to these cases."""
    return _adding_gpus([measured(one) for one in given])


def questions(folder, *given):
    """The answers of task 4 by their questions."""
    answer_of(folder, "task4", *given)
    found = only_section(folder).answers
    return {answer.question: " ".join(answer.sentences) for answer in found}


@pytest.mark.parametrize(
    ("five_s", "first", "verdict"),
    [
        (0.04, "Yes. From 2 to 5 GPUs training gets faster: ", "5 GPUs are 2.5"),
        (0.09, "Yes. From 2 to 5 GPUs training gets faster: ", "% less time"),
        (0.1001, "No, it makes no difference. From 2 to 5 GPUs nothing changes: ", "no detectable"),
        (0.25, "No. From 2 to 5 GPUs training gets slower: ", "5 GPUs take 2.5"),
    ],
)
def test_the_answer_on_adding_gpus_is_yes_or_no_first(tmp_path, five_s, first, verdict):
    both = (result(gpus=g, steps_s=steady(s)) for g, s in ((2, 0.1), (5, five_s)))
    answer = questions(tmp_path, *both)["Does adding GPUs make training faster?"]
    assert answer.startswith(first)
    assert verdict in answer


def test_perfect_sharing_is_named_with_the_reason_why_it_is_not_reached():
    answer = " ".join(adding(*counts({2: 0.1, 5: 0.09})))
    assert (
        "Perfect sharing would take 40 % of the time on 2 GPUs. It does not get there, because "
        "only one GPU works at a time: on average 0.67 of 2 and 0.67 of 5."
    ) in answer
    assert "wait" not in answer


@pytest.mark.parametrize(
    "times_s", [{2: 0.1, 5: 0.04}, {2: 0.1, 5: 0.02}], ids=["t4_ideal", "t4_superideal"]
)
def test_perfect_sharing_is_no_word_where_it_is_reached(times_s):
    assert "Perfect sharing" not in " ".join(adding(*counts(times_s)))


def test_no_sentence_dangles_after_an_open_verdict():
    noisy = [[0.1, 0.24, 0.03, 0.2, 0.04, 0.22, 0.02, 0.11] * n for n in (1, 2)]
    both = [result(gpus=g, steps_s=steps) for g, steps in zip((2, 5), noisy, strict=True)]
    (answer,) = adding(*both)
    assert answer.startswith("From 2 to 5 GPUs it cannot be told whether training gets faster: ")
    assert "2 GPUs and 5 GPUs cannot be told apart" in answer
    assert "Perfect sharing" not in answer


def test_an_open_verdict_that_is_far_from_perfect_sharing_has_its_reason():
    noisy = [[0.1, 0.13, 0.08, 0.115, 0.09, 0.12, 0.085, 0.11] * n for n in (8, 9)]
    both = [result(gpus=g, steps_s=steps) for g, steps in zip((2, 5), noisy, strict=True)]
    open_verdict, reason = adding(*both)
    assert "cannot be told apart" in open_verdict
    assert "It does not get there, because only one GPU works at a time" in reason


def test_gains_that_end_are_answered_by_how_far_they_go():
    first, *_ = adding(*counts({1: 0.1, 2: 0.09, 3: 0.08}), result(gpus=4, steps_s=WIDE))
    assert first.startswith("Yes, up to 3 GPUs. Whether 4 GPUs are faster than 3 cannot be told ")
    assert "from 1 to 3 GPUs training gets faster" in first
    assert first.index("From 1 to 2 GPUs") < first.index("From 1 to 4 GPUs")


def test_gains_that_are_known_to_end_are_not_called_open():
    first, *_ = adding(*counts({1: 0.1, 2: 0.08, 3: 0.08}))
    assert first.startswith("Yes, up to 2 GPUs; 3 GPUs make no difference to that. ")


def test_the_ends_are_told_and_then_every_neighbour():
    answer = adding(*counts({1: 0.1, 2: 0.15, 3: 0.12, 4: 0.08}))[0]
    assert answer.startswith("Not always. From 1 to 4 GPUs training gets faster: ")
    order = ("From 1 to 4 GPUs training gets faster", "From 2 to 4 GPUs training gets faster",
             "From 1 to 2 GPUs training gets slower", "from 2 to 3 GPUs training gets faster",
             "from 3 to 4 GPUs training gets faster")  # fmt: skip
    assert sorted(order, key=answer.index) == list(order)


def test_a_gpu_count_on_other_hardware_or_emulated_does_not_silence_the_others():
    one, two, three, four = counts({1: 0.1, 2: 0.1, 3: 0.12, 4: 0.1})
    two = result("task3", gpus=2, emulated=True)
    four = result("task3", gpus=4, gpu_name="NVIDIA H200")
    first, *_, refused, emulated = adding(one, two, three, four)
    assert first.startswith("No, as far as these results tell. From 1 to 3 GPUs training gets slow")
    assert refused == (
        f"{QUESTION} between 3 and 4 GPUs: they were measured on different hardware (NVIDIA A100; "
        "NVIDIA H200)."
    )
    assert emulated.startswith(f"{QUESTION} for 2 GPUs: emulated GPUs share one GPU")


def test_an_emulated_least_count_leaves_the_real_ones_compared():
    one = result("task3", gpus=1, gpu_name=None)
    answer = adding(one, *counts({2: 0.1, 3: 0.091}))
    assert answer[0].startswith("Yes, as far as these results tell. From 2 to 3 GPUs")
    assert answer[-1].startswith(f"{QUESTION} for 1 GPU: emulated GPUs share the CPU")


def timed(given, cost=0.0, **parts):
    """The result with instrumented steps of its length and cost; parts are seconds of each GPU."""
    step_s = (1 + cost) * sorted(given.measurement.step_times_s)[20]
    breakdown = given.measurement.breakdown
    gpus = []
    for gpu in breakdown.per_gpu:
        new = {name: [seconds] * 3 for name, seconds in parts.items()}
        gpu = msgspec.structs.replace(gpu, transfer_out_s=[0.0] * 3, **new)
        names = ("forward_s", "backward_s", "optimizer_s", "transfer_in_s")
        busy = sum(getattr(gpu, name)[0] for name in names)
        gpus.append(msgspec.structs.replace(gpu, idle_s=[step_s - busy] * 3))
    changed = msgspec.structs.replace(breakdown, step_times_s=[step_s] * 3, per_gpu=gpus)
    return measuring(given, breakdown=changed)


TWO = {"forward_s": 0.01, "backward_s": 0.02, "optimizer_s": 0.02, "transfer_in_s": 0.0}
FOUR = {"forward_s": 0.005, "backward_s": 0.01, "optimizer_s": 0.01, "transfer_in_s": 0.0005}


def test_what_shrank_is_named_where_the_instruments_are_cheap():
    two, four = counts({2: 0.1, 4: 0.092})
    answer = " ".join(adding(timed(two, 0.01, **TWO), timed(four, 0.01, **FOUR)))
    assert "the longest optimizer step of a GPU 10" in answer
    assert "ms less and copies between GPUs 2 ms more." in answer.replace("2.00", "2")
    assert "The GPUs update their layers side by side" in answer


def test_instruments_that_cost_more_than_the_effect_explain_nothing():
    two, four = counts({2: 0.1, 4: 0.0948})
    answer = " ".join(adding(timed(two, 0.02, **TWO), timed(four, 0.146, **FOUR)))
    assert "optimizer" not in answer
    assert (
        "From 2 to 4 GPUs, which part of a step changed cannot be told: an instrumented step "
        "takes up to 15 % longer than a plain one."
    ) in answer


def test_a_disturbed_difference_is_told_with_caution_and_not_explained():
    two, five = counts({2: 0.1, 5: 0.13})
    answer = spelled_out(" ".join(adding(two, measuring(five, warmup_steady=False))))
    assert re.search(r"training gets slower: 5 GPUs take about .* \(caution: warm-up was", answer)
    assert "instrumented step takes" not in answer


def used(*given):
    return " ".join(memory.answer([measured(one) for one in given])[0].sentences)


def test_gpus_that_take_turns_are_used_but_hardly_ever_at_once():
    two = timed(result(gpus=2), 0.0, forward_s=0.015, backward_s=0.03, optimizer_s=0.01)
    answer = used(result(gpus=1), two)
    assert answer.startswith(
        "All GPUs are used, but hardly ever at the same time, because the GPUs take turns. On 2 "
        "GPUs each computes for about 55 % of a step and is idle for about 37 %: on average 1.1 of "
        "2 work at the same time."
    )
    assert "1 GPU" not in answer
    assert "wait for one another" not in answer


def test_several_gpu_counts_are_one_sentence():
    answer = used(*(result("task3", gpus=gpus) for gpus in (1, 2, 4)))
    assert (
        "On 2 GPUs each computes for about 33 % of a step and is idle for about 50 %, on 4 GPUs "
        "about 17 % and about 75 %: on average 0.67 of 2 and 0.67 of 4 work at the same time."
    ) in answer


def test_gpus_busy_for_two_thirds_are_not_said_to_wait():
    given = scheduled("1f1b", gpus=2, micro_batches=2)
    answer = used(given)
    assert answer.startswith("All GPUs are used, but not all the time. On 2 GPUs each computes for")
    assert "1.3 of 2 work at the same time" in answer
    assert "turns" not in answer
    assert "mostly" not in answer


def test_gpus_that_all_compute_nearly_always_are_all_used():
    parts = {"forward_s": 0.03, "backward_s": 0.06, "optimizer_s": 0.005, "transfer_in_s": 0.0}
    assert used(timed(result(gpus=2), **parts)).startswith(
        "Yes: all GPUs are used, nearly all the time."
    )


def test_shares_that_differ_are_a_range():
    given = result(gpus=2)
    first, second = given.measurement.breakdown.per_gpu
    less = msgspec.structs.replace(
        second, backward_s=[0.001] * 3, idle_s=[second.idle_s[0] + second.backward_s[0] - 0.001] * 3
    )
    breakdown = msgspec.structs.replace(given.measurement.breakdown, per_gpu=[first, less])
    assert "each computes for 18 to 33 % of a step" in used(measuring(given, breakdown=breakdown))


def test_costly_instruments_are_named_and_very_costly_ones_tell_nothing():
    assert "(in instrumented steps, which took 15 % longer than timed ones)" in used(
        timed(result(gpus=2), 0.146)
    )
    answer = used(timed(result(gpus=2), 0.68))
    assert answer == (
        "Every GPU holds layers, so each is used in every step. Whether all GPUs are used at the "
        "same time on 2 GPUs cannot be told from these results: instrumented steps took 1.68 "
        "times as long as timed ones."
    )


def test_without_instrumented_steps_the_use_of_the_gpus_cannot_be_told(tmp_path):
    given = [measuring(result(gpus=gpus), breakdown=None) for gpus in (2, 5)]
    answer = answer_of(tmp_path, "task4", *given)
    assert "on 2 GPUs and 5 GPUs cannot be told from these results: no step was instr" in answer


def test_one_gpu_alone_is_not_asked_whether_it_is_used():
    assert used(result(gpus=1)) == "There is only one GPU, which has all layers."


def test_a_gpu_without_a_layer_is_no_used_one():
    lazy = result(gpus=5, gpu_of_layer=[i // 5 for i in range(20)])
    assert used(result(gpus=2), lazy).startswith("No: on 5 GPUs, GPU 4 holds no layers.")


def test_shares_of_emulated_gpus_are_not_those_of_real_ones():
    answer = used(result(gpus=2), result(gpus=5, emulated=True))
    assert (
        "5 GPUs were emulated by one GPU: on average 0.67 of 5 work at the same time, which is not "
        "how real GPUs would be used."
    ) in answer
    assert answer.count("each computes for") == 1


def test_what_cannot_be_told_of_several_gpu_counts_is_said_once():
    assert adding(*counts({1: 0.1, 2: 0.1, 4: 0.1}, gpu_name=None)) == [
        f"{QUESTION} for 1, 2 and 4 GPUs: emulated GPUs share the CPU, and are no faster together "
        "than it is alone."
    ]


def test_what_cannot_be_told_of_several_depths_names_them_all():
    points = [(depth, gpus) for depth in (10, 20) for gpus in (1, 2)]
    (found,) = adding(*(result(depth=d, gpus=g, gpu_name=None) for d, g in points))
    assert found.startswith(f"Depth 10; Depth 20: {QUESTION} for 1 and 2 GPUs: emulated")


def test_gpu_counts_measured_on_different_gpus_are_not_compared(tmp_path):
    other = result(gpus=5, step_s=0.01, gpu_name="NVIDIA H100")
    answer = answer_of(tmp_path, "task4", result(gpus=2), other)
    assert "between 2 and 5 GPUs: they were measured on different hardware (NVIDIA A100;" in answer
    assert "training gets" not in answer


@pytest.mark.parametrize("more", [[], [failed(gpus=5)]])
def test_one_gpu_count_tells_nothing_of_adding_gpus(tmp_path, more):
    answer = answer_of(tmp_path, "task4", result(gpus=2), *more)
    assert "cannot be told from these results: it takes two values of gpus" in answer
    assert "The homework asks for 5 GPUs, too; only 2 were measured." in answer
    assert "Missing from this answer: 1 of 2 cases." in answer


def test_without_any_measurement_there_is_no_answer(tmp_path):
    answer = answer_of(tmp_path, "task4", failed(gpus=2), failed(gpus=5))
    assert answer.endswith("cannot be told from these results: no case has been measured.")


def memory_of(*given):
    found = memory.answer([measured(one) for one in given])
    return " ".join(s for a in found if "memory" in a.question for s in a.sentences)


def test_the_memory_of_every_gpu_is_told_though_it_is_0():
    five = result(gpus=5, peaks=[100 * MIB, 0, 300 * MIB, 150 * MIB, 160 * MIB])
    assert "on 5 GPUs 100 MiB, 0 MiB, 300 MiB, 150 MiB and 160 MiB" in memory_of(five)


def test_more_gpus_leave_each_with_less_memory():
    answer = memory_of(result(gpus=2), result(gpus=5))
    assert answer.endswith("on 5: each GPU holds its own part of the model alone.")
    grows = [result(gpus=2), result(gpus=5, peaks=[2000 * MIB] * 5)]
    assert "own part" not in memory_of(*grows)


def test_emulated_gpus_have_their_memory_together():
    answer = memory_of(sharing(result(gpus=5, emulated=True), 300 * MIB))
    assert answer.startswith(
        "Emulated GPUs have no memory of their own; the one GPU that they share holds 300 MiB on 5 "
        "GPUs together. By prediction, the fullest of 5 real GPUs would hold "
    )


def test_the_headlines_have_the_answer_and_the_use_of_the_gpus():
    faster, busy = memory.headlines([measured(r) for r in counts({2: 0.1, 5: 0.09})])
    assert faster.startswith("Adding GPUs: Yes. From 2 to 5 GPUs training gets faster")
    assert busy.startswith("GPUs at work: All GPUs are used, but hardly ever at the same time")
    (open_,) = memory.headlines([measured(r) for r in counts({2: 0.1, 5: 0.09}, gpu_name=None)])
    assert open_.startswith("Adding GPUs: Whether adding GPUs makes training faster cannot be told")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"variables": {"CUDA_LAUNCH_BLOCKING": "1"}}, "with different variables"),
        ({"tf32": True}, "with and without TF32"),
        ({"cpu": "Xeon"}, "(EPYC; Xeon)"),
        ({"driver": "1.0"}, "with different drivers (1.0; 550.1)"),
        ({"torch": "1.0"}, "with different versions of torch (1.0; 2.11.0)"),
    ],
)
def test_what_was_measured_otherwise_is_not_compared(tmp_path, changes, reason):
    other = result(gpus=5)
    environment = msgspec.structs.replace(other.environment, **changes)
    other = msgspec.structs.replace(other, environment=environment)
    answer = answer_of(tmp_path, "task4", result(gpus=2), other)
    assert reason in answer
    assert "training gets" not in answer


def test_which_gpus_a_job_sees_is_no_difference(tmp_path):
    both = [result(gpus=gpus, steps_s=steady(0.1)) for gpus in (2, 5)]
    seen = [{"CUDA_VISIBLE_DEVICES": ids} for ids in ("0,1", "0,1,2,3,4")]
    both = [
        msgspec.structs.replace(r, environment=msgspec.structs.replace(r.environment, variables=v))
        for r, v in zip(both, seen, strict=True)
    ]
    assert "No, it makes no difference." in answer_of(tmp_path, "task4", *both)


@pytest.mark.parametrize("times_s", [{1: 0.273, 2: 0.269, 4: 0.268}, {2: 0.1, 5: 0.097}])
def test_a_gain_of_a_few_percent_is_no_yes(times_s):
    """A GPT of one GPU at a time: 2 GPUs took 1.4 % less time, and the answer began with Yes."""
    made = [result("task3", gpus=g, steps_s=steady(s)) for g, s in times_s.items()]
    first, *_ = adding(*made)
    least, *_, most = times_s.values()
    assert first.startswith(f"Hardly: at most {100 * (1 - most / least):.1f} % less time. From ")
    headline, *_ = memory.headlines([measured(one) for one in made])
    assert headline.startswith("Adding GPUs: Hardly: at most ")


@pytest.mark.parametrize(
    ("times_s", "first"),
    [({2: 0.1, 5: 0.09}, "Yes. "), ({1: 0.1, 2: 0.097, 4: 0.12}, "Not always. ")],
)
def test_a_gain_that_is_larger_or_lost_again_is_told_as_before(times_s, first):
    made = [result("task3", gpus=g, steps_s=steady(s)) for g, s in times_s.items()]
    assert adding(*made)[0].startswith(first)


def test_a_small_gain_that_may_be_a_larger_one_is_not_called_small():
    first, *_ = adding(
        *(result("task3", gpus=g, steps_s=steady(s)) for g, s in ((1, 0.1), (2, 0.0955)))
    )
    assert first.startswith("Yes. From 1 to 2 GPUs training gets faster: 2 GPUs take 4.5 % less")


def test_a_small_gain_of_some_gpus_is_not_told_of_those_that_were_emulated():
    real = [result("task3", gpus=g, steps_s=steady(s)) for g, s in ((1, 0.1), (2, 0.098))]
    first, *_ = adding(*real, result("task3", gpus=5, emulated=True))
    assert first.startswith("Hardly, as far as these results tell: at most 2.0 % less time. From 1")
