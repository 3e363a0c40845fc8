"""Answers on pipelines that differ in micro-batches, or in weight gradients, alone."""

import pytest

from report.answers.pipelines import settings
from report.data.measured import measured
from tests.report.made_up import measuring, steady
from tests.report.made_up_pipeline import scheduled

KEYS = {"gpus": 4, "depth": 20, "batch_size": 640}


def steadily(schedule, step_s, micro_batches=10, gradients="separate"):
    keys = KEYS | {"micro_batches": micro_batches, "gradients": gradients}
    made = scheduled(schedule, step_s=step_s, **keys)
    return measured(measuring(made, step_times_s=steady(step_s), median_ci_s=None))


def test_more_micro_batches_are_compared_with_fewer_of_the_same_schedule():
    given = [steadily("gpipe", 0.2), steadily("gpipe", 0.1, 20), steadily("1f1b", 0.2),
             steadily("1f1b", 0.3, 20), steadily("naive", 0.4)]  # fmt: skip
    (text,) = settings.of_micro_batches(given)
    assert text.startswith("In 1 of 2 comparisons a step takes less time, in 1 a step takes more")
    assert "GPipe: 20 micro-batches are 2.00 times as fast as 10 micro-batches" in text
    assert "1F1B: 20 micro-batches take 50.0 % more time than 10 micro-batches" in text
    assert "with 300 ms and 200 ms a step." in text


@pytest.mark.parametrize(("fused_s", "begins"), [(0.1, "Yes."), (0.2, "No."), (0.3, "No.")])
def test_fused_gradients_are_compared_with_separate_ones_in_whatever_order(fused_s, begins):
    given = [steadily("1f1b", fused_s, gradients="fused"), steadily("1f1b", 0.2)]
    (text,) = settings.of_gradients(given)
    assert text.startswith(f"{begins} 1F1B: ")
    (turned,) = settings.of_gradients(given[::-1])
    assert turned == text
    assert "gradients" in text.partition("1F1B: ")[2]


@pytest.mark.parametrize("fused_s", [0.1994, 0.2006])
def test_times_of_two_that_do_not_differ_are_in_the_order_of_their_names(fused_s):
    given = [steadily("1f1b", fused_s, gradients="fused"), steadily("1f1b", 0.2)]
    (text,) = settings.of_gradients(given)
    assert "between separate weight gradients and fused weight gradients" in text
    assert text.endswith(f"with 200 ms and {1000 * fused_s:.0f} ms a step.")


@pytest.mark.parametrize("steadiness", [{}, {"warmup_steady": False}])
def test_times_of_two_that_cannot_be_told_apart_are_in_the_order_of_their_names(steadiness):
    noisy = [0.1] * 20 + [0.2] * 11 + [0.3] * 20
    given = [
        measured(measuring(scheduled("1f1b", gradients=how, **KEYS), median_ci_s=None,
                           step_times_s=[s * by for s in noisy], **steadiness))
        for how, by in (("separate", 1), ("fused", 0.9))
    ]  # fmt: skip
    (text,) = settings.of_gradients(given)
    assert "separate weight gradients and fused weight gradients cannot be told apart" in text
    assert text.endswith("with 200 ms and 180 ms a step.")


def test_what_differs_elsewhere_is_in_the_label():
    given = [
        steadily("gpipe", step_s, micro_batches, gradients)
        for micro_batches in (10, 20)
        for step_s, gradients in ((0.2, "separate"), (0.1, "fused"))
    ]
    (text,) = settings.of_gradients(given)
    assert text.startswith("Yes, in all 2 comparisons. GPipe, 10 micro-batches: fused")
    assert " GPipe, 20 micro-batches: fused" in text


def test_without_a_pair_nothing_is_said():
    given = [steadily("gpipe", 0.2), steadily("1f1b", 0.1, 20, "fused")]
    assert settings.of_micro_batches(given) == settings.of_gradients(given) == []
