"""How many GPUs to ask for: the fewest that fit, the doubling that pays too little, the choices."""

import re

import pytest

from report.analysis.comparison import CANNOT
from tests.report.made_up import MIB, measuring
from tests.report.made_up_conditions import at_clock
from tests.report.made_up_models import answers, gpt, out_of_memory
from tests.report.made_up_pipeline import peaks

FLOPS = 28 * 3 * 10**9 * 64  # of a step, less the first input gradient, if that is left out


def test_the_first_sentence_says_where_it_fits_and_which_doubling_pays_too_little(tmp_path):
    text, first, headlines = answers(
        tmp_path, gpt("naive", 1, 0.4), gpt("gpipe", 2, 0.22), gpt("1f1b", 4, 0.16)
    )
    assert first == (
        "The model fits on 1 GPU; doubling from 1 to 2 GPUs pays 80 % or more, and doubling from 2 "
        "to 4 GPUs pays less than 80 % (68.8 %, 95 % CI 67.8 to 69.8 %)."
    )
    assert headlines[1] == first
    assert headlines[0].startswith("The model fits on one GPU. 1F1B with 8 micro-batches on 4 GPUs")
    assert "From 1 GPU (naive, 400 ms a step) to 2 GPUs (GPipe with 8 micro-batches, 220 ms a " \
           "step): the doubling pays 90.9 %" in text  # fmt: skip


def test_gpus_on_which_it_ran_out_of_memory_are_named(tmp_path):
    _, first, _ = answers(
        tmp_path,
        out_of_memory("naive", 1),
        out_of_memory("naive", 2),
        out_of_memory("gpipe", 2),
        gpt("1f1b", 4),
    )
    assert first == (
        "The model fits on 4 GPUs (on 1 and 2 GPUs every case that was tried ran out of memory; "
        "other numbers below were not tried); whether a doubling pays 80 % cannot be told: it was "
        "measured on 4 GPUs alone."
    )


def test_it_is_not_said_to_fit_with_a_schedule_that_ran_out_of_memory(tmp_path):
    text, first, _ = answers(
        tmp_path,
        gpt("naive", 1, 0.4),
        out_of_memory("gpipe", 1),
        gpt("1f1b", 2, 0.2),
        out_of_memory("gpipe", 2),
    )
    assert first.startswith("The model fits on 1 GPU, though not with GPipe with 8 micro-batches; ")
    assert "Out of memory, where others fit: on 2 GPUs GPipe with 8 micro-batches." in text


def test_fewer_gpus_that_nobody_tried_are_not_said_to_be_too_few(tmp_path):
    _, first, _ = answers(tmp_path, gpt("gpipe", 4, 0.2), gpt("gpipe", 8, 0.15), gpus=(4, 8))
    assert first.startswith("The model fits on 4 GPUs (fewer GPUs were not tried); doubling from 4")


def test_gpus_that_failed_for_another_reason_are_not_said_to_be_too_few(tmp_path):
    _, first, _ = answers(tmp_path, out_of_memory("naive", 1, outcome="error"), gpt("gpipe", 2))
    assert first.startswith("The model fits on 2 GPUs (on 1 GPU nothing was measured); ")
    _, first, _ = answers(
        tmp_path / "both",
        out_of_memory("naive", 1, outcome="error"),
        out_of_memory("gpipe", 1),
        gpt("gpipe", 2),
    )
    assert "(on 1 GPU none was measured, and some ran out of memory)" in first


def test_more_gpus_that_ran_out_of_memory_are_not_left_out(tmp_path):
    _, first, _ = answers(tmp_path, gpt("naive", 1), out_of_memory("gpipe", 2))
    assert first.startswith(
        "The model fits on 1 GPU (on 2 GPUs every case that was tried ran out of memory); "
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
    assert first.endswith(
        "doubling from 1 to 2 GPUs pays less than 80 % (40.0 %, 95 % CI 39.4 to 40.6 %, so a step "
        "takes longer)."
    )


def test_a_doubling_whose_interval_holds_80_percent_is_open(tmp_path):
    _, first, _ = answers(tmp_path, gpt("naive", 1, 0.2), gpt("gpipe", 2, 0.125))
    assert first == (
        "The model fits on 1 GPU; whether doubling from 1 to 2 GPUs (80.0 %, 95 % CI 78.8 to 81.2 "
        "%) pays 80 % cannot be told, and no doubling beyond that was measured."
    )


def test_one_and_four_gpus_are_no_doubling(tmp_path):
    _, first, _ = answers(tmp_path, gpt("naive", 1, 0.4), gpt("gpipe", 4, 0.15))
    assert first.endswith("cannot be told: no two of 1 and 4 GPUs are one twice the other.")
    assert "pays less" not in first


def test_what_pays_is_not_told_of_gpus_that_were_slowed_or_of_another_kind(tmp_path):
    text, first, _ = answers(
        tmp_path,
        gpt("naive", 1, 0.4),
        at_clock(gpt("gpipe", 2, 0.35), 700),
        gpt("gpipe", 4, 0.1, gpu_name="NVIDIA H200"),
    )
    open_two = "1 to 2 GPUs (about 57 %, of disturbed measurements) and from 2 to 4 GPUs"
    assert f"whether doubling from {open_two} pays 80 % cannot be told" in first
    assert "the doubling pays about 57 % (caution 1)." in text
    assert "Caution 1: GPU 0 ran at 700 of 1410 MHz on 2 GPUs." in text
    assert "What doubling from 2 to 4 GPUs pays cannot be told: they were measured on" in text


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


@pytest.mark.parametrize("steps", [3, 5])
def test_too_few_steps_tell_of_no_doubling_and_no_cheapest(steps, tmp_path):
    few = measuring(gpt("gpipe", 2, 0.1), step_times_s=[0.1] * steps, median_ci_s=None)
    text, first, _ = answers(tmp_path, gpt("naive", 1, 0.4), few)
    assert "whether doubling from 1 to 2 GPUs pays 80 % cannot be told" in first
    assert "the cheapest (" not in text


def test_mfu_says_what_it_is_a_share_of_and_nothing_of_a_gpu_without_a_datasheet(tmp_path):
    # 26 layers and their extra: (25 + 3) x 3 x 10^9 operations a row, 64 rows, 0.1 s.
    known = gpt("naive", 1, 0.1, gpu_name="NVIDIA H100 80GB HBM3")
    text, _, _ = answers(tmp_path, known)
    share = re.search(r"Its MFU is ([0-9.]+) % by the GPU's dense bfloat16 peak", text)
    assert float(share.group(1)) == pytest.approx(100 * FLOPS / 0.1 / 989e12, rel=0.01)
    assert f"and {100 * FLOPS / 0.1 / 50e12:.1f} % by the fastest matrix product that" in text
    text, _, _ = answers(tmp_path / "unknown", gpt("naive", 1, 0.1, gpu_name="Some GPU"))
    assert "MFU" not in text
