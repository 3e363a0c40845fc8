"""The interval of a step time: what a job stored, no narrower than its own steps allow."""

import numpy as np

from report.analysis.step_time import INTERVALS, step_time
from report.data.measured import measured
from report.method import make_method
from tests.report.made_up import measuring, result

TWO_SPEEDS = [0.1] * 300 + [0.101] * 200  # as a clock that changed once


def ends(given):
    """Both ends of the interval that the report shows."""
    found = step_time(measured(given)).interval
    return found.low, found.high


def test_an_interval_that_an_earlier_version_stored_reaches_the_parts_of_its_run():
    given = measuring(result(steps_s=TWO_SPEEDS), median_ci_s=(0.1, 0.1002))
    assert step_time(measured(given)).estimate_s == 0.1
    assert ends(given) == (0.1, 0.101)


def test_an_interval_that_a_job_stored_is_never_narrowed():
    given = measuring(result(steps_s=TWO_SPEEDS), median_ci_s=(0.09, 0.12))
    assert ends(given) == (0.09, 0.12)


def test_what_a_job_stores_today_is_what_the_report_shows():
    steps = np.exp(0.01 * np.random.default_rng(1).normal(size=200)).tolist()
    given = result(steps_s=steps)
    assert ends(given) == given.measurement.median_ci_s


def test_a_job_that_stored_no_interval_has_that_of_its_steps():
    """`ci_null_many`: a dash stood in the table, and a verdict with an interval below it."""
    given = measuring(result(steps_s=TWO_SPEEDS), median_ci_s=None)
    assert ends(given) == (0.1, 0.101)
    few = measuring(result(steps_s=[0.1] * 5), median_ci_s=None)
    assert step_time(measured(few)).interval is None


def test_the_method_says_what_an_interval_does_not_cover():
    text = " ".join(make_method([measured(result())]))
    assert f"with 95 % confidence intervals. {INTERVALS}" in text
