"""When a case stops measuring."""

import pytest

from mp.devices import choose_devices
from mp.step import build_step
from mp.timing import time_phases, time_steps
from study.case import Case


@pytest.fixture
def devices():
    return choose_devices(2, "cpu")


@pytest.fixture
def step(devices):
    return build_step(Case(depth=2, gpus=2, dim=8, batch_size=2), devices)


def ignore(done, seconds):
    pass


def test_the_step_count_ends_the_timed_steps(step, devices):
    assert len(time_steps(step, devices, 7, 3600.0, ignore)) == 7


def test_a_time_limit_that_has_passed_still_leaves_three_steps(step, devices):
    assert len(time_steps(step, devices, 100, 1e-9, ignore)) == 3


def test_fewer_steps_than_three_may_be_asked_for(step, devices):
    assert len(time_steps(step, devices, 1, 1e-9, ignore)) == 1


def test_every_timed_step_trains(step, devices):
    before = step.model.layers[0].weight.clone()
    time_steps(step, devices, 1, 1.0, ignore)
    assert not before.equal(step.model.layers[0].weight)


def test_progress_is_told_after_every_step(step, devices):
    told = []
    time_steps(step, devices, 4, 3600.0, lambda done, seconds: told.append((done, seconds > 0)))
    assert told == [(1, True), (2, True), (3, True), (4, True)]


def test_every_phase_is_timed_in_the_same_number_of_steps(step, devices):
    phases = time_phases(step, devices)
    assert set(phases) == {"forward", "backward", "optimizer"}
    assert {len(times) for times in phases.values()} == {3}
    assert all(seconds > 0 for times in phases.values() for seconds in times)
