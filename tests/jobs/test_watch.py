"""When the watch ends: once nothing moves without a person."""

import pytest

from jobs.status.case_status import CaseStatus
from jobs.terminal import live_view as module
from jobs.terminal.live_view import Overview, is_moving, watch
from tests.jobs.test_plan import submission


def seen(**keys):
    return CaseStatus(submission=submission(), is_live=True, **keys)


RUNS, HELD = seen(state="RUNNING"), seen(state="PENDING", is_stuck=True)
WAITS = seen(state="PENDING", reason="Dependency")


def look(*observations, is_blocked=False):
    return Overview(list(observations), [], is_blocked=is_blocked)


def test_it_goes_on_while_a_job_runs_or_waits_for_one_that_does():
    assert is_moving(look(RUNS, HELD, WAITS, is_blocked=True))
    assert is_moving(look(WAITS))


def test_it_ends_where_all_is_held_or_waits_for_what_is_held():
    assert not is_moving(look(HELD, WAITS, is_blocked=True))
    assert not is_moving(look(WAITS, is_blocked=True))  # for a job of another grid
    assert not is_moving(look(HELD))
    assert not is_moving(look())


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(module, "REFRESH_S", 0)


def test_a_job_whose_turn_has_just_come_is_no_end(at_once):
    looks = iter([look(WAITS, is_blocked=True), look(RUNS, is_blocked=True), look()])
    assert watch(lambda: next(looks)).statuses == []
    held = look(HELD, is_blocked=True)
    looks = iter([held, held])
    assert watch(lambda: next(looks)) is held
