"""How many GPUs to ask for: the most that pay, the fewest that fit, the choices."""

import re

import pytest

from report.analysis.comparison import CANNOT
from tests.report.made_up import MIB, measuring
from tests.report.made_up_conditions import at_clock
from tests.report.made_up_models import answers, gpt, out_of_memory
from tests.report.made_up_pipeline import peaks

FLOPS = 28 * 3 * 10**9 * 64  # of a step, less the first input gradient, if that is left out


def test_the_first_sentence_names_the_most_gpus_up_to_which_every_doubling_pays(tmp_path):
    text, first, headlines = answers(
        tmp_path, gpt("naive", 1, 0.4), gpt("gpipe", 2, 0.22), gpt("1f1b", 4, 0.16)
    )
    assert first == (
        "2 GPUs under GPipe with 8 micro-batches (220 ms a step), if a doubling has to pay 80 %: "
        "from 1 to 2 GPUs it pays 90.9 % (95 % CI 89.6 to 92.3 %), from 2 to 4 GPUs only 68.8 % "
        "(95 % CI 67.8 to 69.8 %)."
    )
    assert headlines[1] == first
    assert headlines[0].startswith("The model fits on one GPU. 1F1B with 8 micro-batches on 4 GPUs")
    assert (
        "The model fits on 1 GPU. Compared is the fastest schedule on each number of GPUs: naive "
        "on 1 GPU (400 ms a step), GPipe with 8 micro-batches on 2 (220 ms) and 1F1B with 8 "
        "micro-batches on 4 (160 ms). The number named is the most GPUs up to which every doubling "
        "measured pays 80 % or more. A doubling pays 100 % if a step then takes half the time, 50 "
        "% if as long as before."
    ) in text
    assert text.count("90.9 %") == text.count("A doubling pays") == 1


def test_the_most_gpus_measured_are_not_said_to_be_the_most_that_pay(tmp_path):
    _, first, _ = answers(
        tmp_path, gpt("naive", 1, 0.4), gpt("gpipe", 2, 0.22), gpt("1f1b", 4, 0.12)
    )
    assert first.startswith("4 GPUs under 1F1B with 8 micro-batches (120 ms a step), if a doubling")
    assert first.endswith(
        ", from 2 to 4 GPUs 91.7 % (95 % CI 90.3 to 93.1 %). No larger number was measured."
    )


def test_doublings_behind_the_one_that_does_not_pay_are_told_after_it(tmp_path):
    steps = {1: 0.4, 2: 0.3, 4: 0.16}
    text, first, _ = answers(
        tmp_path, *(gpt("gpipe" if n > 1 else "naive", n, s) for n, s in steps.items())
    )
    assert first.startswith("1 GPU under naive (400 ms a step), if a doubling has to pay 80 %: ")
    assert (
        "From 2 GPUs (GPipe with 8 micro-batches, 300 ms a step) to 4 GPUs (GPipe with 8 "
        "micro-batches, 160 ms a step): the doubling pays 93.8 % (95 % CI"
    ) in text
    assert "93.8 %" not in first


def test_a_gap_that_is_no_doubling_is_not_bridged(tmp_path):
    def first_of(folder, steps):
        results = [gpt("gpipe" if n > 1 else "naive", n, s) for n, s in steps.items()]
        return answers(tmp_path / folder, *results, gpus=tuple(steps))

    text, first, _ = first_of("above", {1: 0.4, 2: 0.22, 8: 0.08, 16: 0.042})
    assert first.startswith("2 GPUs under GPipe")
    assert first.endswith(" No doubling from 2 GPUs was measured.")
    assert "From 8 GPUs (" in text
    _, first, _ = first_of("below", {1: 0.8, 4: 0.3, 8: 0.16})
    assert first.startswith("8 GPUs under GPipe")
    assert first.endswith(" No doubling from 1 GPU was measured. No larger number was measured.")


def test_a_doubling_that_cannot_be_compared_ends_what_is_known(tmp_path):
    other = gpt("gpipe", 4, 0.1, gpu_name="NVIDIA H200")
    text, first, _ = answers(tmp_path, gpt("naive", 1, 0.4), gpt("gpipe", 2, 0.22), other)
    assert first.startswith(
        "At least 2 GPUs under GPipe with 8 micro-batches (220 ms a step), if a doubling has to "
        "pay 80 %: from 1 to 2 GPUs it pays 90.9 % (95 % CI 89.6 to 92.3 %); what 4 GPUs (GPipe "
        "with 8 micro-batches, 100 ms a step) pay cannot be told: they were measured on"
    )
    assert first.endswith(" No larger number was measured.")
    assert "naive on 1 GPU (400 ms a step) and GPipe with 8 micro-batches on 2 (220 ms)." in text


def test_gpus_on_which_it_ran_out_of_memory_are_named(tmp_path):
    _, first, _ = answers(
        tmp_path,
        out_of_memory("naive", 1),
        out_of_memory("naive", 2),
        out_of_memory("gpipe", 2),
        gpt("1f1b", 4),
    )
    assert first == (
        "How many GPUs pay cannot be told: only one case was measured, on 4 GPUs (1F1B with 8 "
        "micro-batches, 100 ms a step). The model fits on 4 GPUs (on 1 and 2 GPUs every case that "
        "was tried ran out of memory; other numbers below were not tried)."
    )


def test_it_is_not_said_to_fit_with_a_schedule_that_ran_out_of_memory(tmp_path):
    text, _, _ = answers(
        tmp_path,
        gpt("naive", 1, 0.4),
        out_of_memory("gpipe", 1),
        gpt("1f1b", 2, 0.2),
        out_of_memory("gpipe", 2),
    )
    assert "The model fits on 1 GPU, though not with GPipe with 8 micro-batches. " in text
    assert "Out of memory, where others fit: on 2 GPUs GPipe with 8 micro-batches." in text


def test_fewer_gpus_that_nobody_tried_are_not_said_to_be_too_few(tmp_path):
    text, _, _ = answers(tmp_path, gpt("gpipe", 4, 0.2), gpt("gpipe", 8, 0.15), gpus=(4, 8))
    assert "The model fits on 4 GPUs (fewer GPUs were not tried). " in text


def test_gpus_that_failed_for_another_reason_are_not_said_to_be_too_few(tmp_path):
    _, first, _ = answers(tmp_path, out_of_memory("naive", 1, outcome="error"), gpt("gpipe", 2))
    assert first.endswith("The model fits on 2 GPUs (on 1 GPU nothing was measured).")
    _, first, _ = answers(
        tmp_path / "both",
        out_of_memory("naive", 1, outcome="error"),
        out_of_memory("gpipe", 1),
        gpt("gpipe", 2),
    )
    assert "(on 1 GPU none was measured, and some ran out of memory)" in first


def test_more_gpus_that_ran_out_of_memory_are_not_left_out(tmp_path):
    _, first, _ = answers(tmp_path, gpt("naive", 1), out_of_memory("gpipe", 2))
    assert first.endswith(
        "The model fits on 1 GPU (on 2 GPUs every case that was tried ran out of memory)."
    )


def test_a_model_that_fits_nowhere_is_said_to(tmp_path):
    _, first, headlines = answers(tmp_path, out_of_memory("naive", 1), out_of_memory("gpipe", 2))
    assert first == (
        "No case was measured: on 1 and 2 GPUs every case that was tried "
        "ran out of memory; on 4 GPUs nothing was measured."
    )
    assert headlines == [first]


def test_two_gpus_that_are_slower_than_one_pay_less_than_half(tmp_path):
    _, first, _ = answers(tmp_path, gpt("naive", 1, 0.2), gpt("gpipe", 2, 0.25))
    assert first == (
        "1 GPU under naive (200 ms a step), if a doubling has to pay 80 %: from 1 to 2 GPUs it "
        "pays only 40.0 % (95 % CI 39.4 to 40.6 %), so a step takes longer."
    )


@pytest.mark.parametrize(
    ("step_s", "advised", "pays"),
    [
        (0.1245, "2 GPUs under GPipe with 8 micro-batches (124 ms", "80.3 % (95 % CI 79.2 to 81.6"),
        (0.1255, "1 GPU under naive (200 ms", "79.7 % (95 % CI 78.5 to 80.9"),
    ],
)
def test_what_an_interval_that_holds_80_percent_advises_is_open(step_s, advised, pays, tmp_path):
    _, first, _ = answers(tmp_path, gpt("naive", 1, 0.2), gpt("gpipe", 2, step_s))
    assert first == (
        f"{advised} a step), if a doubling has to pay 80 %, but this is not sure: from 1 to 2 GPUs "
        f"it pays {pays} %). No larger number was measured."
    )


def test_one_and_four_gpus_are_no_doubling(tmp_path):
    _, first, _ = answers(tmp_path, gpt("naive", 1, 0.4), gpt("gpipe", 4, 0.15))
    assert first == (
        "How many GPUs pay cannot be told: no two of 1 and 4 GPUs are one twice the other. The "
        "model fits on 1 GPU."
    )


def test_what_gpus_that_were_slowed_advise_is_not_sure(tmp_path):
    text, first, _ = answers(
        tmp_path,
        gpt("naive", 1, 0.4),
        at_clock(gpt("gpipe", 2, 0.35), 700),
        gpt("gpipe", 4, 0.1, gpu_name="NVIDIA H200"),
    )
    assert first == (
        "1 GPU under naive (400 ms a step), if a doubling has to pay 80 %, but this is not sure: "
        "from 1 to 2 GPUs it pays about 57 % by disturbed measurements (caution 1)."
    )
    assert "Caution 1: GPU 0 ran at 700 of 1410 MHz on 2 GPUs." in text
    assert (
        "What doubling from 2 GPUs (GPipe with 8 micro-batches, 350 ms a step) to 4 GPUs (GPipe "
        "with 8 micro-batches, 100 ms a step) pays cannot be told: they were measured on"
    ) in text


def test_emulated_gpus_tell_nothing(tmp_path):
    cpu = {"gpu_name": None, "emulated": True}
    text, first, headlines = answers(tmp_path, gpt("naive", 1, **cpu), gpt("gpipe", 2, **cpu))
    assert first.startswith(f"How many GPUs to ask for {CANNOT}: all GPUs were emulated")
    assert headlines == [first]
    for word in ("tokens/s", "GPU-hours", "fits", "shorten a step"):
        assert word not in text


def test_schedules_that_cannot_be_told_apart_are_named_together(tmp_path):
    text, _, _ = answers(tmp_path, gpt("naive", 2, 0.2), gpt("gpipe", 2, 0.1), gpt("1f1b", 2, 0.1))
    assert (
        "For the shortest step: on 2 GPUs GPipe with 8 micro-batches (100 ms), from which 1F1B "
        "with 8 micro-batches cannot be told."
    ) in text
    text, _, _ = answers(tmp_path / "tied", gpt("gpipe", 2, 0.1), gpt("1f1b", 2, 0.1))
    assert "on 2 GPUs no schedule is known to be faster than the others" in text


def test_the_cheapest_is_by_gpu_hours_and_the_fastest_by_the_step(tmp_path):
    text, _, _ = answers(tmp_path, gpt("naive", 1, 0.4), gpt("gpipe", 4, 0.2))
    assert "on 4 GPUs GPipe with 8 micro-batches (200 ms)" in text
    # 0.4 s for 64 rows of 1024 tokens: 6104 s for a billion.
    assert "one GPU is the cheapest (400 GPU-ms a step, 1.70 GPU-hours per 10⁹ tokens)" in text


def test_a_case_that_may_be_as_cheap_is_named(tmp_path):
    text, _, _ = answers(tmp_path, gpt("naive", 1, 0.4), gpt("gpipe", 2, 0.2))
    assert (
        "one GPU and GPipe with 8 micro-batches on 2 GPUs are the cheapest and equally "
        "cheap (400 GPU-ms a step"
    ) in text


def test_the_least_memory_is_that_of_the_fullest_gpu(tmp_path):
    uneven = [900 * MIB, 100 * MIB]
    text, _, _ = answers(
        tmp_path,
        gpt("gpipe", 2, 0.1, peaks=uneven),
        gpt("1f1b", 2, 0.2, peaks=peaks(2, 800)),
    )
    assert (
        "1F1B with 8 micro-batches on 2 GPUs needs the least memory on its fullest GPU (800 MiB)"
    ) in text


def test_throughput_is_in_tokens_and_per_gpu(tmp_path):
    text, _, headlines = answers(tmp_path, gpt("naive", 1, 0.4), gpt("1f1b", 2, 0.25))
    words = "The highest throughput measured is 262000 tokens/s, on 2 GPUs under 1F1B with 8 " \
            "micro-batches, 131000 a GPU."  # fmt: skip
    assert words in text
    assert words in headlines


def test_throughputs_that_cannot_be_told_apart_are_named_together(tmp_path):
    text, _, _ = answers(tmp_path, gpt("gpipe", 2, 0.1), gpt("1f1b", 2, 0.1), gpt("naive", 1, 0.4))
    both = ("655000 tokens/s, on 2 GPUs under GPipe with 8 micro-batches, 328000 a GPU",
            "655000 tokens/s, on 2 GPUs under 1F1B with 8 micro-batches, 328000 a GPU")  # fmt: skip
    assert "The highest throughputs measured cannot be told apart: " in text
    assert all(rate in text for rate in both)
    assert "The highest throughput " not in text


def test_too_few_steps_tell_of_no_highest_throughput(tmp_path):
    few = measuring(gpt("gpipe", 2, 0.39), step_times_s=[0.39] * 3, median_ci_s=None)
    other = measuring(gpt("naive", 1, 0.4), step_times_s=[0.4] * 3, median_ci_s=None)
    text, _, _ = answers(tmp_path, few, other)
    assert (
        "The highest throughputs measured cannot be told apart: 168000 tokens/s, on 2 GPUs under "
        "GPipe with 8 micro-batches, 84000 a GPU; 164000 tokens/s, on 1 GPU under naive."
    ) in text


def test_a_throughput_is_the_highest_of_those_that_can_be_compared(tmp_path):
    few = measuring(gpt("gpipe", 4, 0.1), step_times_s=[0.1] * 3, median_ci_s=None)
    text, _, _ = answers(tmp_path, gpt("naive", 1, 0.4), gpt("1f1b", 2, 0.25), few)
    assert (
        "The highest throughput of the 2 cases that can be compared is 262000 tokens/s, on 2 GPUs"
    ) in text


@pytest.mark.parametrize("steps", [3, 5])
def test_too_few_steps_tell_of_no_doubling_and_no_cheapest(steps, tmp_path):
    few = measuring(gpt("gpipe", 2, 0.1), step_times_s=[0.1] * steps, median_ci_s=None)
    text, first, _ = answers(tmp_path, gpt("naive", 1, 0.4), few)
    assert first.startswith(
        "How many GPUs pay cannot be told: 1 GPU (naive, 400 ms a step) and 2 GPUs (GPipe with 8 "
        "micro-batches, 100 ms a step) cannot be compared, as there are "
    )
    assert "A doubling pays" not in text
    assert "the cheapest (" not in text


def test_mfu_says_what_it_is_a_share_of_and_nothing_of_a_gpu_without_a_datasheet(tmp_path):
    # 26 layers and their extra: (25 + 3) x 3 x 10^9 operations a row, 64 rows, 0.1 s.
    known = gpt("naive", 1, 0.1, gpu_name="NVIDIA H100 80GB HBM3")
    text, _, _ = answers(tmp_path, known)
    share = re.search(r"Its MFU is ([0-9.]+) % by the GPU's dense bfloat16 peak", text)
    assert float(share.group(1)) == pytest.approx(100 * FLOPS / 0.1 / 989e12, rel=0.01)
    assert f"and {100 * FLOPS / 0.1 / 50e12:.1f} % by the fastest matrix product that" in text
    other = gpt("gpipe", 2, 0.1, gpu_name="NVIDIA H100 80GB HBM3")
    text, _, _ = answers(tmp_path / "tied", known, other)
    assert re.search(
        "Their MFUs are [0-9.]+ % and [0-9.]+ % by the GPUs' dense bfloat16 peak in the datasheet, "
        "and [0-9.]+ % and [0-9.]+ % by the fastest matrix product that each job measured",
        text,
    )
    text, _, _ = answers(tmp_path / "unknown", gpt("naive", 1, 0.1, gpu_name="Some GPU"))
    assert "MFU" not in text
