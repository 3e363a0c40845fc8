"""Two samples are told apart where they differ, and only there."""

import numpy as np
import pytest

from study.statistics.between_jobs import repeats_to_tell
from study.statistics.bootstrap import compare
from study.statistics.comparison import Comparison, Repeats
from tests.study.noise import autocorrelated, white, with_slow_steps

RUNS = 200
MAY_ERR = RUNS // 20


def kinds(a_runs, b_runs):
    pairs = zip(a_runs.tolist(), b_runs.tolist(), strict=True)
    return [compare([a], [b]).kind for a, b in pairs]


@pytest.mark.parametrize("noise", [white, autocorrelated, with_slow_steps])
@pytest.mark.parametrize("steps", [60, 200, 1000])
def test_the_halves_of_a_run_are_hardly_ever_called_different(noise, steps):
    runs = noise(np.random.default_rng(1), RUNS, steps)
    called = kinds(runs[:, : steps // 2], runs[:, steps // 2 :])
    assert called.count("slower") + called.count("faster") <= MAY_ERR


@pytest.mark.parametrize("steps", [200, 1000])
def test_the_halves_of_a_long_run_without_drift_are_called_the_same(steps):
    runs = white(np.random.default_rng(2), RUNS, steps)
    assert kinds(runs[:, : steps // 2], runs[:, steps // 2 :]).count("same") >= RUNS - MAY_ERR


@pytest.mark.parametrize(("ratio", "kind"), [(1.025, "slower"), (1 / 1.025, "faster")])
def test_two_and_a_half_percent_are_found_in_a_hundred_steps_of_one_job_each(ratio, kind):
    random = np.random.default_rng(3)
    found = kinds(white(random, RUNS, 100), ratio * white(random, RUNS, 100))
    assert found.count(kind) >= RUNS - MAY_ERR
    assert set(found) <= {kind, "same", "undecided"}


def made_up_jobs(random, jobs, ratio=1.0):
    """Jobs of 30 steps that differ by 0.4 %, as they did on H100s."""
    jobs = 0.004 * random.normal(size=(jobs, 1)) + 0.002 * random.normal(size=(jobs, 30))
    return (ratio * np.exp(jobs)).tolist()


def called(a_jobs, b_jobs, ratio, pairs):
    """The share of pairs of samples that are called different in the right direction, or in any."""
    random = np.random.default_rng(5)
    found = [
        compare(made_up_jobs(random, a_jobs), made_up_jobs(random, b_jobs, ratio)).kind
        for _ in range(pairs)
    ]
    kinds = ("slower",) if ratio > 1 else ("slower", "faster")
    return sum(map(found.count, kinds)) / pairs


@pytest.mark.parametrize(("a", "b"), [(1, 1), (3, 1), (1, 5), (3, 3), (5, 5), (10, 3)])
def test_jobs_of_one_case_are_called_different_in_one_of_seventeen_pairs_at_most(a, b):
    assert called(a, b, 1.0, pairs=600) <= 0.06


def test_five_jobs_each_find_one_percent():
    assert called(5, 5, 1.01, pairs=2000) >= 0.9


def test_one_job_each_does_not_find_one_percent_and_says_how_many_do():
    assert called(1, 1, 1.01, pairs=300) < 0.6
    steps = [1.0, 1.001] * 20
    found = compare([steps], [[1.004 * step for step in steps]])
    assert found.jobs == (1, 1)
    assert found.repeats == (5, 0.01)
    assert "; 5 jobs each would show a difference of 1 %)" in found.words("A", "B")


def test_more_spread_takes_more_jobs_and_at_some_point_shows_less():
    needed = [repeats_to_tell(sd) for sd in (0.0, 0.004, 0.006, 0.05)]
    assert needed[:3] == [(3, 0.01), (5, 0.01), (9, 0.01)]
    assert needed[3].jobs == 10
    assert needed[3].difference == pytest.approx(0.080, abs=2e-3)


def test_a_single_job_beside_jobs_that_differ_more_may_differ_as_much():
    apart = [[0.97] * 6, [1.0] * 6, [1.03] * 6, [0.98] * 6, [1.02] * 6]
    assert compare(apart, [[1.04] * 6]).kind == "undecided"
    assert compare([[1.0] * 6] * 5, [[1.04] * 6]).kind == "slower"


def test_jobs_that_differ_among_themselves_are_hardly_ever_called_different():
    random = np.random.default_rng(4)
    jobs = 1 + 0.02 * random.normal(size=(RUNS, 10, 1)) + 0.01 * random.normal(size=(RUNS, 10, 30))
    found = [compare(run[:5], run[5:]).kind for run in jobs.tolist()]
    assert found.count("slower") + found.count("faster") <= MAY_ERR


@pytest.mark.parametrize(
    ("b", "kind", "ratio"), [(0.1, "same", 1), (0.11, "slower", 1.1), (0.09, "faster", 0.9)]
)
def test_jobs_of_equal_steps_are_compared_exactly(b, kind, ratio):
    found = compare([[0.1] * 6] * 3, [[b] * 6] * 3)
    assert found.kind == kind
    assert (found.low, found.ratio, found.high) == pytest.approx((ratio, ratio, ratio))


def test_one_job_is_never_known_better_than_jobs_agree():
    found = compare([[0.1] * 6], [[0.1] * 6])
    assert (found.low, found.ratio, found.high) == pytest.approx((0.989, 1, 1.011), abs=1e-3)


@pytest.mark.parametrize(
    ("a", "b"), [([1.0] * 5, [1.0] * 100), ([1.0] * 100, [1.0] * 5), ([], [1.0] * 100)]
)
def test_too_few_steps_are_not_compared(a, b):
    assert compare([a], [b]) is None


def test_steps_of_two_kinds_are_not_told_apart():
    random = np.random.default_rng(5)
    a = random.permutation([1.0] * 20 + [1.5] * 21).tolist()
    b = random.permutation([1.0] * 21 + [1.5] * 20).tolist()
    assert compare([a], [b]).kind == "undecided"


def test_a_sample_beside_itself_is_not_compared_with_the_same_draws():
    steps = white(np.random.default_rng(6), RUNS, 100)[0].tolist()
    found = compare([steps], [steps])
    assert found.ratio == 1
    assert found.low < 1 < found.high


def test_a_beside_b_says_what_b_beside_a_says():
    a, b = white(np.random.default_rng(7), RUNS, 100)[:2]
    a, b = a.tolist(), (1.05 * b).tolist()
    there, back = compare([a], [b]), compare([b], [a])
    assert (there.kind, back.kind) == ("slower", "faster")
    assert back.ratio == pytest.approx(1 / there.ratio)
    assert back.low == pytest.approx(1 / there.high, abs=1e-3)


@pytest.mark.parametrize(
    ("ratio", "low", "high", "kind"),
    [
        (1.03, 1.02, 1.04, "slower"),
        (0.97, 0.96, 0.98, "faster"),
        (1.03, 1.0, 1.06, "undecided"),
        (1.004, 1.003, 1.006, "same"),
        (1.004, 0.981, 1.019, "same"),
        (1.0, 0.979, 1.01, "undecided"),
        (1.0, 0.5, 1.8, "undecided"),
        (1.0051, 1.004, 1.006, "slower"),
    ],
)
def test_only_a_sure_and_noticeable_difference_is_one(ratio, low, high, kind):
    assert Comparison(ratio, low, high).kind == kind


WORDS = [
    (0.801, 0.79, 0.812, "B takes 19.9 % less time than A (95 % CI 18.8 to 21.0 %)"),
    (1.12, 1.05, 1.2, "B takes 12 % more time than A (95 % CI 5 to 20 %)"),
    (1.031, 1.024, 1.038, "B takes 3.1 % more time than A (95 % CI 2.4 to 3.8 %)"),
    (0.969, 0.962, 0.976, "B takes 3.1 % less time than A (95 % CI 2.4 to 3.8 %)"),
    (1.007, 1.0002, 1.014, "B takes 0.70 % more time than A (95 % CI 0.02 to 1.40 %)"),
    (1.001, 0.997, 1.0051, "no detectable difference between A and B (within ±0.6 %)"),
    (1.0, 1.0, 1.0, "no detectable difference between A and B (within ±0.0 %)"),
    (1.003, 1.001, 1.0049, "no difference that matters between A and B (within ±0.5 %)"),
    (1.01, 0.959, 1.06, "A and B cannot be told apart (95 % CI −4.1 to +6.0 %)"),
    (1.2, 0.4, 3.0, "A and B cannot be told apart (95 % CI 0.4 to 3 times the time)"),
    (1.499, 1.45, 1.55, "B takes 50 % more time than A (95 % CI 45 to 55 %)"),
    (1.83, 1.75, 1.91, "B takes 1.83 times as long as A (95 % CI 1.75 to 1.91)"),
    (3.52, 3.48, 3.571, "B takes 3.52 times as long as A (95 % CI 3.48 to 3.57)"),
    (0.25, 0.2, 0.5, "B is 4.0 times as fast as A (95 % CI 2.0 to 5.0)"),
    (1 / 310.06, 1 / 367.16, 1 / 256.93, "B is 310 times as fast as A (95 % CI 260 to 370)"),
    (1 / 10000.36, 1e-4, 1 / 9874.79, "B is over 1000 times as fast as A (95 % confidence)"),
    (1200.0, 840.0, 1800.0, "B takes over 800 times as long as A (95 % confidence)"),
]


@pytest.mark.parametrize(("ratio", "low", "high", "words"), WORDS)
def test_the_words_say_how_much_time_and_how_sure(ratio, low, high, words):
    assert Comparison(ratio, low, high).words("A", "B") == words


def test_what_is_slower_by_nobody_knows_how_much_is_not_said_to_be_indistinguishable():
    found = Comparison(1.004, 1.001, 1.03)
    assert found.kind == "undecided"
    assert found.words("A", "B") == (
        "B takes more time than A, but whether enough to matter cannot be told "
        "(95 % CI +0.1 to +3.0 %)"
    )


@pytest.mark.parametrize(
    ("jobs", "repeats", "words"),
    [
        ((1, 1), Repeats(5, 0.01), " by one job each (95 % CI −0.9 to +2.4 %; 5 jobs each would "
         "show a difference of 1 %)"),
        ((3, 3), Repeats(10, 0.0764), " by 3 jobs each (95 % CI −0.9 to +2.4 %)"),
        ((3, 3), Repeats(4, 0.01), " by 3 jobs each (95 % CI −0.9 to +2.4 %; 4 jobs each would "
         "show a difference of 1 %)"),
        ((5, 1), Repeats(5, 0.01), " by 1 and 5 jobs (95 % CI −0.9 to +2.4 %; 5 jobs each would "
         "show a difference of 1 %)"),
        ((5, 5), Repeats(5, 0.01), " by 5 jobs each (95 % CI −0.9 to +2.4 %)"),
        ((1, 1), Repeats(10, 1.6), " by one job each (95 % CI −0.9 to +2.4 %)"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_says_from_how_many_jobs_and_how_many_would_tell(jobs, repeats, words):
    found = Comparison(1.007, 0.991, 1.024, jobs, repeats)
    assert found.words("A", "B") == "A and B cannot be told apart" + words


def test_no_difference_in_one_job_each_says_how_many_would_show_a_small_one():
    found = Comparison(1.002, 0.991, 1.014, (1, 1), Repeats(5, 0.01))
    assert found.words("A", "B") == (
        "no detectable difference between A and B "
        "(within ±1.4 %; 5 jobs each would show a difference of 1 %)"
    )


def test_several_gpus_are_a_plural():
    slower, faster = Comparison(1.031, 1.024, 1.038), Comparison(0.5, 0.49, 0.51)
    assert slower.words("2", "5 GPUs", plural=True) == (
        "5 GPUs take 3.1 % more time than 2 (95 % CI 2.4 to 3.8 %)"
    )
    assert faster.words("2", "5 GPUs", plural=True).startswith("5 GPUs are 2.00 times as fast as 2")
