"""When the watch ends: once nothing moves without a person."""

from jobs.judge import Observation
from jobs.watch import is_moving
from tests.jobs.test_plan import submission


def seen(**keys):
    return Observation(submission=submission(), is_live=True, **keys)


RUNS, HELD = seen(state="RUNNING"), seen(state="PENDING", is_stuck=True)
WAITS = seen(state="PENDING", reason="Dependency")


def test_it_goes_on_while_a_job_runs_or_waits_for_one_that_does():
    assert is_moving([RUNS, HELD, WAITS])
    assert is_moving([WAITS])  # the job before it has just ended


def test_it_ends_where_all_is_held_or_waits_for_what_is_held():
    assert not is_moving([HELD, WAITS, WAITS])
    assert not is_moving([HELD])
    assert not is_moving([])
