"""A power limit that looks back for some time: long steps are slowed though GPUs wait as much."""

from dataclasses import replace
from itertools import pairwise
from math import fsum

import msgspec
import pytest

from predict.costs.calibrated import Calibrated
from predict.costs.power_limit import time_constant
from predict.costs.power_limit.pace import curves_of, pace_at, seconds_under
from predict.costs.power_limit.recent_load import recent_loads
from predict.costs.power_limit.time_constant import CONSTANTS_S, time_constant_s
from predict.orders.lowering import programs
from predict.simulation.costs import equal_stages
from predict.simulation.events import simulate
from predict.steps.loads import loads_of
from predict.steps.of_case import step_of
from study.results.calibration.layers import BurstTime
from tests.predict.made_up_calibration import MS, calibration, case, loaded

CURVE = {0.25: 0.8, 0.5: 0.8, 0.75: 0.85, 1.0: 1.0}
CONSTANT_S = CONSTANTS_S[16]  # 32 ms


def mean_load(found):
    return fsum(each.seconds * each.load for each in found) / fsum(each.seconds for each in found)


def by_small_steps(computes, step_s, constant_s):
    """The same average load, with the average moved on a thousand times in each of 60 steps."""
    load, loads, dt = 0.0, [], step_s / 1000
    for number in range(60 * 1000):
        now = number % 1000 * dt
        is_busy = any(begins <= now < ends for begins, ends in computes)
        load += (is_busy - load) * dt / constant_s
        if is_busy and number >= 59 * 1000:
            loads.append(load)
    return sum(loads) / len(loads)


@pytest.mark.parametrize("constant_s", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("computes", [[(0.0, 0.5)], [(0.2, 0.3), (0.6, 1.0)], [(0.0, 1.0)]])
def test_the_load_is_the_moving_average_of_a_step_that_is_repeated(computes, constant_s):
    found = recent_loads(computes, 1.0, constant_s)
    assert fsum(each.seconds for each in found) == pytest.approx(sum(b - a for a, b in computes))
    assert mean_load(found) == pytest.approx(by_small_steps(computes, 1.0, constant_s), abs=0.01)


def test_a_gpu_in_a_short_step_has_the_load_of_the_whole_step_and_in_a_long_one_none_of_its_waits():
    assert mean_load(recent_loads([(0.0, 0.4)], 1.0, 100.0)) == pytest.approx(0.4, abs=0.01)
    assert mean_load(recent_loads([(0.0, 0.4)], 1.0, 0.001)) == pytest.approx(1.0, abs=0.01)
    assert mean_load(recent_loads([(0.0, 0.4)], 1.0, 0.001, share=0.7)) == pytest.approx(
        0.7, abs=0.01
    )


def test_a_step_of_hours_is_as_quick_to_look_at_as_a_short_one():
    found = recent_loads([(0.0, 3600.0)], 7200.0, 0.01)
    assert len(found) < 40
    assert fsum(each.seconds for each in found) == pytest.approx(3600.0)


def burst(seconds, burst_s, **changes):
    (like, *_) = loaded({0.5: 1.0})
    keys = {"burst_s": burst_s, "seconds": seconds, "low_s": seconds, "high_s": seconds}
    return BurstTime(**msgspec.structs.asdict(like) | keys | changes)


def with_bursts(constant_s, **changes):
    """A calibration in which bursts took what a power limit with this constant makes of them."""
    made = calibration(loaded=loaded(CURVE))
    (times,) = curves_of(made.calibration)
    bursts = tuple(
        burst(seconds_under(times, recent_loads([(0.0, s)], 2 * s, constant_s)), s, **changes)
        for s in (0.08, 0.2)
    )
    return calibration(loaded=loaded(CURVE), bursts=bursts)


@pytest.mark.parametrize("number", [8, 16, 24])
def test_the_constant_is_that_which_explains_how_bursts_were_slowed(number):
    found = time_constant_s(with_bursts(CONSTANTS_S[number]).calibration)
    assert found == pytest.approx(CONSTANTS_S[number])


def test_the_constant_is_looked_for_once_for_all_cases(monkeypatch):
    tried, error = [], time_constant._error
    monkeypatch.setattr(time_constant, "_error", lambda *its: (tried.append(its), error(*its))[1])
    made = with_bursts(0.0123).calibration
    assert time_constant_s(made) == time_constant_s(msgspec.structs.replace(made))
    assert len(tried) == len(CONSTANTS_S)


def test_bursts_that_were_not_slowed_say_that_the_limit_looks_back_for_long():
    bursts = tuple(burst(0.8 * 3 * MS, burst_s) for burst_s in (0.08, 0.2))
    found = time_constant_s(calibration(loaded=loaded(CURVE), bursts=bursts).calibration)
    assert found == CONSTANTS_S[-1]


def test_without_bursts_of_the_layers_under_load_the_constant_is_unknown():
    assert time_constant_s(calibration().calibration) is None
    assert time_constant_s(calibration(loaded=loaded(CURVE)).calibration) is None
    assert time_constant_s(with_bursts(CONSTANT_S, rows=4096).calibration) is None


def test_layers_that_full_load_hardly_slows_do_not_tell_how_long_the_limit_looks_back():
    made = with_bursts(CONSTANT_S).calibration
    flat = loaded({0.25: 0.99, 0.5: 0.99, 1.0: 1.0})
    assert time_constant_s(msgspec.structs.replace(made, loaded=flat)) is None


def test_the_pace_of_whiles_lies_between_those_of_their_loads():
    times = calibration(loaded=loaded(CURVE)).calibration
    paces = [pace_at(times, load).limited for load in (0.25, 0.75, 1.0)]
    assert all(a < b for a, b in pairwise(paces))
    of_both = pace_at(times, recent_loads([(0.0, 0.5)], 1.0, 0.5)).limited
    assert paces[0] < of_both < paces[-1]


def step_s(constant_s, rows, **keys):
    one = calibration(loaded=loaded(CURVE)) if constant_s is None else with_bursts(constant_s)
    made = case(**{"batch_size": rows, "schedule": "naive", "micro_batches": 1} | keys)
    return step_of(made, Calibrated(one, calibration(2, beside=()))).seconds


def test_long_steps_are_slowed_more_than_short_ones_of_gpus_that_wait_as_much():
    short, long = (step_s(CONSTANT_S, rows) / step_s(None, rows) for rows in (512, 8192))
    assert 1 <= short < 1.02
    assert long > 1.05
    assert step_s(CONSTANTS_S[-1], 8192) == pytest.approx(step_s(None, 8192), rel=0.01)


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b", "zero_bubble", "interleaved_1f1b"])
def test_pipelines_of_long_actions_are_slowed_by_it_too(schedule):
    keys = {"schedule": schedule, "micro_batches": 2}
    assert step_s(CONSTANTS_S[0], 16384, **keys) > 1.03 * step_s(None, 16384, **keys)


def test_a_gpu_of_a_step_without_spans_counts_as_computing_all_at_once():
    asks, costs = programs("gpipe", 2, 2), equal_stages(2, 0.01, 0.01, 0.01)
    whole = simulate(asks, costs, with_spans=True)
    first, _ = loads_of(replace(whole, spans=()), CONSTANT_S)
    assert fsum(each.seconds for each in first) == pytest.approx(0.06)
    assert mean_load(first) > mean_load(loads_of(whole, CONSTANT_S)[0])
    assert loads_of(whole, None) == list(whole.loads)
