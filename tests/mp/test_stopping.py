"""When warm-up is over, and when a median is known well enough."""

import random

import pytest

from mp.timing.stopping import FIRST_LOOK, FIRST_LOOK_S, StoppingRule, WarmupRule, is_steady
from study.case import Case


def case(**limits):
    return Case(depth=2, gpus=1, **limits)


def noisy(steps, noise, centre=0.1, seed=0):
    source = random.Random(seed)
    return [centre * (1 + source.gauss(0, noise)) for _ in range(steps)]


def end_of(rule, times, seconds_a_step=0.2):
    """(steps, verdict) where the rule ends a run with these step times."""
    for steps in range(len(times) + 1):
        verdict = rule(times[:steps], steps * seconds_a_step)
        if verdict is not None:
            return steps, verdict
    return None


def test_windows_that_agree_are_steady_and_windows_that_differ_are_not():
    assert is_steady([0.1] * 10) is True
    assert is_steady([0.2] * 5 + [0.1] * 5) is False


def test_two_windows_are_needed_to_tell():
    assert is_steady([0.1] * 9) is None


def test_a_window_of_short_steps_lasts_long_enough_for_clocks_to_rise():
    assert is_steady([0.001] * 999) is None
    assert is_steady([0.001] * 1000) is True


def test_noise_without_a_trend_is_steady():
    steady = [is_steady(noisy(10, 0.05, centre=0.2, seed=seed)) for seed in range(100)]
    assert sum(steady) > 50  # and the next look comes five steps later


def test_warmup_ends_once_the_first_slow_steps_are_behind():
    times = [0.9, 0.5, 0.3, 0.2, 0.15] + [0.1] * 50
    assert end_of(WarmupRule(case()), times) == (15, "steady")


@pytest.mark.parametrize(
    ("limits", "steps"), [({"warmup_steps": 7}, 7), ({"time_limit_s": 10}, 5), ({}, 30)]
)
def test_warmup_that_never_becomes_steady_ends_at_its_steps_or_half_the_time(limits, steps):
    times = [0.1 * 1.5**n for n in range(40)]
    found = end_of(WarmupRule(case(**limits)), times, seconds_a_step=1.0)
    assert found == (steps, "limit")


def test_timed_steps_end_once_the_interval_is_narrow():
    steps, verdict = end_of(StoppingRule(case()), noisy(2000, 0.01))
    assert verdict == "converged"
    assert FIRST_LOOK_S / 0.2 <= steps < 200


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.01, 0.05])
def test_a_run_of_twenty_seconds_is_as_long_whatever_it_finds(noise):
    steps, _ = end_of(StoppingRule(case(time_limit_s=20)), noisy(2000, noise), seconds_a_step=0.1)
    assert steps == 200


def test_a_run_of_twenty_seconds_says_whether_it_became_narrow():
    narrow, wide = (
        end_of(StoppingRule(case(time_limit_s=20)), noisy(2000, noise), seconds_a_step=0.1)
        for noise in (0.001, 0.05)
    )
    assert (narrow[1], wide[1]) == ("converged", "time_limit")


def test_more_noise_takes_more_steps():
    quiet, _ = end_of(StoppingRule(case()), noisy(5000, 0.005))
    loud, _ = end_of(StoppingRule(case(time_limit_s=5000)), noisy(5000, 0.03))
    assert quiet < loud


def test_a_narrower_goal_takes_more_steps():
    loose, _ = end_of(StoppingRule(case(ci_half_width=0.02)), noisy(5000, 0.02))
    tight, _ = end_of(StoppingRule(case(ci_half_width=0.002, time_limit_s=5000)), noisy(5000, 0.02))
    assert loose < tight


def test_seconds_must_have_passed_before_the_first_look():
    steps, verdict = end_of(StoppingRule(case()), [0.1] * 3000, seconds_a_step=0.01)
    assert (steps, verdict) == (FIRST_LOOK_S / 0.01, "converged")


def test_no_run_of_luck_ends_the_steps_before_the_first_look():
    found = end_of(StoppingRule(case()), [0.1] * 100, seconds_a_step=1.0)
    assert found == (FIRST_LOOK, "converged")


def test_a_half_width_of_zero_is_never_narrow_enough():
    assert end_of(StoppingRule(case(ci_half_width=0, steps=50)), [0.1] * 100) == (50, "steps")


def test_the_time_limit_leaves_three_steps():
    times = noisy(20, 0.1)
    assert end_of(StoppingRule(case(time_limit_s=1)), times, 5.0) == (3, "time_limit")


def test_fewer_steps_than_three_may_be_asked_for():
    assert end_of(StoppingRule(case(steps=1, time_limit_s=1)), [0.1], 5.0) == (1, "steps")
