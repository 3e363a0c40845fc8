"""Two samples are told apart where they differ, and only there."""

import numpy as np
import pytest

from study.statistics.bootstrap import compare
from study.statistics.comparison import Comparison
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


@pytest.mark.parametrize(("ratio", "kind"), [(1.01, "slower"), (1 / 1.01, "faster")])
def test_one_percent_is_found_in_a_hundred_steps(ratio, kind):
    random = np.random.default_rng(3)
    found = kinds(white(random, RUNS, 100), ratio * white(random, RUNS, 100))
    assert found.count(kind) >= RUNS - MAY_ERR
    assert set(found) <= {kind, "same", "undecided"}


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
    assert (found.low, found.ratio, found.high) == pytest.approx((0.9945, 1, 1.0055), abs=5e-4)


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


@pytest.mark.parametrize(
    ("ratio", "low", "high", "words"),
    [
        (1.031, 1.024, 1.038, "B is 3.1 % slower than A (95 % CI 2.4 to 3.8 %)"),
        (0.969, 0.962, 0.976, "B is 3.1 % faster than A (95 % CI 2.4 to 3.8 %)"),
        (1.001, 0.997, 1.0051, "no detectable difference between A and B (within ±0.6 %)"),
        (1.0, 1.0, 1.0, "no detectable difference between A and B (within ±0.0 %)"),
        (1.003, 1.001, 1.0049, "no difference that matters between A and B (within ±0.5 %)"),
        (1.01, 0.959, 1.06, "A and B cannot be told apart (95 % CI −4.1 to +6.0 %)"),
        (1.26, 1.2, 1.3, "B takes 1.26 times as long as A (95 % CI 1.20 to 1.30)"),
        (3.52, 3.48, 3.571, "B takes 3.52 times as long as A (95 % CI 3.48 to 3.57)"),
        (0.25, 0.2, 0.5, "B is 4.00 times as fast as A (95 % CI 2.00 to 5.00)"),
    ],
)
def test_the_words_say_how_much_and_how_sure(ratio, low, high, words):
    assert Comparison(ratio, low, high).words("A", "B") == words


def test_several_gpus_are_a_plural():
    found = Comparison(1.031, 1.024, 1.038).words("2", "5 GPUs", plural=True)
    assert found == "5 GPUs are 3.1 % slower than 2 (95 % CI 2.4 to 3.8 %)"
