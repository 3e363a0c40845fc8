"""An interval holds the true median as often as it says, and is None where it could not."""

import tracemalloc

import numpy as np
import pytest

from benchmarks.noise import GPU_STEP_S, median_of_levels, sticky
from study.statistics.bootstrap import interval
from study.statistics.samples import Interval, estimate
from tests.study.noise import autocorrelated, white

RUNS = 400


def of_one_job(make, steps):
    return make(np.random.default_rng(2), RUNS, steps)[:, np.newaxis]


def of_jobs(jobs, steps, between, runs=RUNS):
    """Runs of several jobs, which differ by `between` beside the spread of their steps."""
    random = np.random.default_rng(3)
    offsets = np.exp(between * random.normal(size=(runs, jobs, 1)))
    return offsets * white(random, runs * jobs, steps).reshape(runs, jobs, steps)


def coverage(samples):
    """The share of samples (runs, jobs, steps) whose interval holds the true median, 1 s."""
    found = [interval(jobs) for jobs in samples.tolist()]
    return sum(i.low <= 1 <= i.high for i in found) / len(found)


@pytest.mark.parametrize("steps", [10, 30])
def test_the_interval_of_a_few_steps_holds_the_median_as_often_as_it_says(steps):
    assert 0.91 <= coverage(of_one_job(white, steps)) <= 0.99


def test_the_interval_of_independent_steps_is_wider_than_need_be_by_a_factor_of_two_at_most():
    runs = of_one_job(white, 200)
    widths = [interval(run).half_width(1) for run in runs[:50].tolist()]
    assert coverage(runs) >= 0.95
    assert np.median(widths) < 2.1 * 1.96 * 1.2533 * 0.01 / np.sqrt(200)


@pytest.mark.parametrize("steps", [100, 200])
def test_the_interval_of_dependent_steps_holds_the_median_as_often_as_it_says(steps):
    assert coverage(of_one_job(autocorrelated, steps)) >= 0.93


@pytest.mark.parametrize("dwell_s", [0.1, 1.0])
@pytest.mark.parametrize("shares", [(0.7, 0.3), (0.5, 0.5), (1 / 3, 1 / 3, 1 / 3)])
def test_twenty_seconds_at_levels_that_last_hold_the_median_as_often_as_they_say(shares, dwell_s):
    make = sticky(shares, dwell_s, GPU_STEP_S)
    runs = make(np.random.default_rng(1), 100, round(20 / GPU_STEP_S))
    truth = np.exp(median_of_levels(shares))
    found = [interval([run]) for run in runs.tolist()]
    assert sum(i.low <= truth <= i.high for i in found) >= 93


@pytest.mark.parametrize("jobs", [3, 4, 5, 7, 10])
def test_the_interval_of_several_jobs_holds_the_median_of_all_jobs(jobs):
    assert 0.93 <= coverage(of_jobs(jobs, 20, between=0.004, runs=1500)) <= 0.97


def test_jobs_that_differ_in_nothing_differ_by_what_their_steps_do():
    assert 0.93 <= coverage(of_jobs(5, 30, between=0)) <= 0.97


def test_one_job_says_nothing_of_how_jobs_differ():
    jobs = of_jobs(5, 200, between=0.02)[0].tolist()
    alone = interval(jobs[:1]).half_width(estimate(jobs[:1]))
    assert interval(jobs).half_width(estimate(jobs)) > 5 * alone


def test_the_medians_of_jobs_decide_and_not_the_spread_of_their_steps():
    spread = [[1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]] * 3
    assert estimate(spread) == 1.3
    assert interval(spread) == Interval(1.3, 1.3)


def test_the_interval_of_jobs_is_that_of_student():
    found = interval([[1.0] * 6, [1.1] * 6, [1.2] * 6])
    logs = np.log([1.0, 1.1, 1.2])
    reach = 4.30265 * logs.std(ddof=1) / np.sqrt(3)
    ends = np.exp([logs.mean() - reach, logs.mean() + reach])
    assert (found.low, found.high) == pytest.approx(tuple(ends), rel=1e-5)


def test_the_estimate_is_the_geometric_mean_of_the_job_medians():
    assert estimate([[3.0, 1.0, 2.0, 4.0]]) == 2.5
    assert estimate([[1.0] * 100, [2.0, 9.0, 2.0], [4.0]]) == pytest.approx(2.0)
    assert estimate([[1.0] * 6, [4.0] * 6]) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "jobs",
    [[], [[]], [[1.0]], [[1.0, 1.1, 1.2, 1.3, 1.4]], [[1.0], [1.1]], [[1.0, 1.1], [1.2, 1.3, 1.4]]],
)
def test_fewer_than_six_steps_have_no_interval(jobs):
    assert interval(jobs) is None


def test_six_steps_have_an_interval_that_holds_most_of_them():
    found = interval([[1.02, 1.0, 1.05, 1.01, 1.04, 1.03]])
    assert 0.9 < found.low < 1.01
    assert 1.04 < found.high < 1.15


def test_six_steps_in_three_jobs_have_a_wider_interval_than_in_one():
    steps = [1.02, 1.0, 1.05, 1.01, 1.04, 1.03]
    one, three = interval([steps]), interval([steps[:2], steps[2:4], steps[4:]])
    assert three.half_width(1) > one.half_width(1)
    assert three.low > 0


def test_two_jobs_have_no_interval_however_many_their_steps():
    assert interval([[1.0, 1.1] * 100, [1.2, 1.3] * 100]) is None


@pytest.mark.parametrize("jobs", [[[0.1] * 6], [[0.1] * 1000], [[0.1] * 3, [0.1] * 50, [0.1]]])
def test_equal_steps_have_an_interval_without_width(jobs):
    assert interval(jobs) == Interval(0.1, 0.1)


def test_the_interval_of_steps_of_two_kinds_reaches_both():
    steps = np.random.default_rng(4).permutation([1.0] * 20 + [2.0] * 21)
    found = interval([steps.tolist()])
    assert found.low <= 1
    assert found.high >= 2


def test_a_drift_widens_the_interval():
    drifting = np.linspace(1.0, 1.05, 200)
    shuffled = np.random.default_rng(5).permutation(drifting)
    wide, narrow = interval([drifting.tolist()]), interval([shuffled.tolist()])
    assert wide.half_width(1) > 2 * narrow.half_width(1)


def test_a_few_slow_steps_hardly_move_the_interval():
    steps = white(np.random.default_rng(6), 1, 200)[0]
    slow = np.where(np.arange(200) % 50 == 7, 1.5 * steps, steps)
    assert interval([slow.tolist()]).high == pytest.approx(
        interval([steps.tolist()]).high, rel=1e-3
    )


def test_four_times_the_steps_halve_the_interval():
    runs = white(np.random.default_rng(7), 100, 400).tolist()
    short = sum(interval([run[:100]]).half_width(1) for run in runs)
    assert sum(interval([run]).half_width(1) for run in runs) / short == pytest.approx(
        0.5, abs=0.05
    )


def test_half_the_width_is_a_share_of_the_estimate():
    assert Interval(1.9, 2.1).half_width(2.0) == pytest.approx(0.05)


def test_the_same_steps_have_the_same_interval():
    steps = white(np.random.default_rng(8), 1, 50)[0].tolist()
    assert interval([steps]) == interval([list(steps)])


def test_the_unit_of_time_does_not_matter():
    steps = white(np.random.default_rng(9), 1, 50)[0]
    found, thousandfold = interval([steps.tolist()]), interval([(1000 * steps).tolist()])
    assert (thousandfold.low, thousandfold.high) == pytest.approx(
        (1000 * found.low, 1000 * found.high)
    )


def test_twenty_thousand_steps_take_little_memory():
    steps = white(np.random.default_rng(10), 1, 20_000)[0].tolist()
    tracemalloc.start()
    interval([steps])
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize("steps", [6, 20, 200])
def test_the_interval_of_one_job_never_leaves_its_steps(steps):
    random = np.random.default_rng(11)
    for _ in range(50):
        slow = random.random(steps) < 0.45
        times = np.where(slow, 100.0, 1.0) * np.exp(0.1 * random.normal(size=steps))
        found = interval([times.tolist()])
        least, most = times.min() * (1 - 1e-12), times.max() * (1 + 1e-12)
        assert least <= found.low <= found.high <= most
