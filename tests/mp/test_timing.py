"""Timed steps: until the rule says so, and each one trains."""

import gc

import pytest

from mp.engine import Communicator
from mp.hardware.devices import choose_devices
from mp.launcher.loading import no_search_while_loading
from mp.measure import time_steps
from mp.single.engine import SingleEngine
from study.case import Case


@pytest.fixture
def engine():
    case = Case(depth=2, gpus=2, dim=8, batch_size=2)
    return SingleEngine(case, Communicator(choose_devices(2, "cpu")))


@pytest.fixture
def world(engine):
    return engine.world


@pytest.fixture
def step(engine):
    return engine.build(engine.case)


def after(steps):
    """A rule that ends with a word after so many steps."""
    return lambda times, elapsed_s: "enough" if len(times) >= steps else None


def ignore(times, elapsed_s):
    pass


def test_steps_are_timed_until_the_rule_has_a_reason(step, world):
    times, reason = time_steps(step, world, after(7), ignore)
    assert (len(times), reason) == (7, "enough")
    assert min(times) > 0


def test_a_rule_may_want_no_step_at_all(step, world):
    assert time_steps(step, world, after(0), ignore) == ([], "enough")


def test_every_timed_step_trains(step, world):
    before = step.model.layers[0].weight.clone()
    time_steps(step, world, after(1), ignore)
    assert not before.equal(step.model.layers[0].weight)


def test_progress_is_told_after_every_step(step, world):
    told = []
    time_steps(step, world, after(4), lambda times, elapsed: told.append((len(times), elapsed)))
    assert [steps for steps, _ in told] == [1, 2, 3, 4]
    assert [elapsed for _, elapsed in told] == sorted(elapsed for _, elapsed in told)


def test_no_garbage_is_collected_during_the_steps(step, world):
    collecting = []
    time_steps(step, world, after(3), lambda times, elapsed: collecting.append(gc.isenabled()))
    assert collecting == [False] * 3
    assert gc.isenabled()


def test_what_is_loaded_is_not_searched_for_garbage_then_or_later():
    before = gc.get_freeze_count()
    with no_search_while_loading():
        assert not gc.isenabled()
        loaded = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(loaded)
