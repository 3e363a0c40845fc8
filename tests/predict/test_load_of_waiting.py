"""A GPU that waits in a collective may be loaded more than one that only waits."""

import msgspec
import pytest

from predict.costs.calibrated import Calibrated
from predict.costs.power_limit.pace import pace_at
from predict.costs.power_limit.waiting import load_of_waiting
from predict.steps.of_case import step_of
from predict.steps.overlap import SideBySide
from study.results.calibration.layers import GpuTime, LayerTime
from study.results.calibration.links import AlternatingTime
from study.results.calibration.timing import timed
from tests.predict.made_up_calibration import MS, calibration, case, loaded

CURVE = {0.25: 0.8, 0.5: 0.8, 0.6: 0.84, 0.8: 0.92, 1.0: 1.0}
RESTED, LOADED = 2.4 * MS, 3.0 * MS  # of a pass of a layer
ONE = {"loaded": loaded(CURVE)}
KEYS = ("kind", "action", "rows", "gradients", "pace")


def each_gpu(rank, rested=RESTED, full=LOADED):
    for pace, whole in (("unthrottled", rested), ("sustained", full)):
        for action, part in (("forward", 1 / 3), ("backward_later", 2 / 3)):
            yield timed(
                GpuTime, [whole * part] * 5, rank=rank, kind=1, action=action, rows=1024,
                gradients="separate", pace=pace,
            )  # fmt: skip


def between_all_reduces(seconds, rank=0, busy_share=0.5, **changes):
    keys = {"kind": 1, "layers": 4, "rows": 1024, "gradients": "separate", "bytes": 2**24}
    return timed(AlternatingTime, [seconds] * 5, rank=rank, busy_share=busy_share, **keys | changes)


def calibrated(*alternating, gpus=(0, 1), one=ONE):
    times = tuple(time for rank in gpus for time in each_gpu(rank))
    pair = calibration(2, each_gpu=times, alternating=alternating, beside=())
    return Calibrated(calibration(**one), pair)


def at_load(load):
    """What a pass takes on a GPU that computes for this share of the time."""
    limited = pace_at(calibration(**ONE).calibration, load).limited
    return RESTED + limited * (LOADED - RESTED)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_wait_loads_a_gpu_as_far_as_layers_between_all_reduces_were_slowed(part):
    found = load_of_waiting(calibrated(between_all_reduces(at_load(0.5 + part / 2))))
    assert found == pytest.approx(part, abs=0.02)


def test_gpus_of_a_pair_count_alike():
    both = [between_all_reduces(at_load(load), rank) for rank, load in enumerate((0.6, 0.8))]
    assert load_of_waiting(calibrated(*both)) == pytest.approx((0.2 + 0.6) / 2, abs=0.02)


def test_a_wait_loads_a_gpu_between_not_at_all_and_as_computing_does():
    assert load_of_waiting(calibrated(between_all_reduces(0.9 * RESTED))) == 0
    assert load_of_waiting(calibrated(between_all_reduces(1.1 * LOADED))) == 1


def test_a_wait_counts_as_rest_where_nothing_tells_otherwise():
    slow = between_all_reduces(LOADED)
    assert load_of_waiting(calibrated()) == 0
    assert load_of_waiting(calibrated(slow, one={})) == 0  # no load was calibrated
    assert load_of_waiting(calibrated(slow, gpus=(1,))) == 0  # nor these layers on this GPU
    assert load_of_waiting(calibrated(between_all_reduces(LOADED, rows=2048))) == 0
    assert load_of_waiting(calibrated(between_all_reduces(LOADED, busy_share=1.0))) == 0
    assert load_of_waiting(calibrated(between_all_reduces(LOADED, busy_share=0.95))) == 0
    assert load_of_waiting(Calibrated(calibration(**ONE))) == 0


@pytest.mark.parametrize("part", [0.0, 0.6, 1.0])
def test_whole_passes_are_held_against_whole_passes(part):
    """One by one, and on a GPU that is colder or warmer, their actions take less or longer."""
    rested, full = 0.98 * RESTED, 1.04 * LOADED
    layers = tuple(
        timed(LayerTime, [t.seconds] * 5, **{k: getattr(t, k) for k in KEYS})
        for t in each_gpu(0, rested, full)
    )
    its = calibrated(between_all_reduces(at_load(0.5 + part / 2)), one=ONE | {"layers": layers})
    times = tuple(time for rank in (0, 1) for time in each_gpu(rank, rested, full))
    record = msgspec.structs.replace(its.pair.calibration, each_gpu=times)
    pair = msgspec.structs.replace(its.pair, calibration=record)
    assert load_of_waiting(Calibrated(its.one, pair)) == pytest.approx(part, abs=0.03)


def test_where_several_loads_slow_alike_one_in_their_middle_counts():
    """Seconds are known to half a percent, and under these loads they differ by less."""
    one = {"loaded": loaded({0.25: 0.8, 0.5: 0.8, 0.75: 0.803, 1.0: 1.0})}
    low, high = (
        load_of_waiting(calibrated(between_all_reduces(RESTED * by), one=one))
        for by in (0.998, 1.002)
    )
    assert 0.1 < low < high < 0.3
    assert high - low < 0.1


def test_layers_that_full_load_does_not_slow_tell_nothing():
    its = calibrated(between_all_reduces(LOADED))
    times = tuple(time for rank in (0, 1) for time in each_gpu(rank, full=1.01 * RESTED))
    record = msgspec.structs.replace(its.pair.calibration, each_gpu=times)
    pair = msgspec.structs.replace(its.pair, calibration=record)
    assert load_of_waiting(Calibrated(its.one, pair)) == 0


@pytest.mark.parametrize("schedule", ["tensor", "ddp", "fsdp"])
def test_steps_with_collectives_take_longer_if_waiting_in_these_loads_a_gpu(schedule):
    made = case(schedule=schedule, micro_batches=1)
    rests, draws = (
        step_of(made, calibrated(between_all_reduces(seconds))).seconds
        for seconds in (RESTED, at_load(0.9))
    )
    longer = draws / rests
    assert longer > 1.005 if schedule == "tensor" else longer >= 1
    assert longer < 1.25


@pytest.mark.parametrize("schedule", ["naive", "1f1b"])
def test_steps_without_collectives_do_not(schedule):
    made = case(schedule=schedule, micro_batches=1 if schedule == "naive" else 8)
    rests, draws = (
        step_of(made, calibrated(between_all_reduces(seconds))).seconds
        for seconds in (RESTED, LOADED)
    )
    assert rests == draws


def test_waiting_for_a_launch_is_no_wait_for_a_collective():
    gpu = SideBySide()
    gpu.compute(1.0, launching_s=3.0)
    assert (gpu.now, gpu.idle_s) == (3.0, 2.0)
    gpu.compute(1.0, launching_s=0.5)
    assert (gpu.now, gpu.idle_s) == (4.0, 2.0)
    gpu.wait_until(gpu.collect(2.0))
    assert gpu.now - gpu.work_s - gpu.idle_s == pytest.approx(2.0)


def test_a_slower_launch_does_not_load_a_gpu():
    def slow(run):
        return msgspec.structs.replace(run, step_times_s=(400 * MS,))

    its = calibrated(between_all_reduces(LOADED))
    hosts = tuple(map(slow, its.pair.calibration.host))
    record = msgspec.structs.replace(its.pair.calibration, host=hosts)
    late = Calibrated(its.one, msgspec.structs.replace(its.pair, calibration=record))
    made = case(schedule="tensor", micro_batches=1)
    assert step_of(made, late).is_launch_bound
    assert step_of(made, late).gpus_s <= step_of(made, its).seconds
