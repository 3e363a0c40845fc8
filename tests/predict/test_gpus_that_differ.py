"""GPUs of a kind that are not equally fast, and what a step waits for."""

import msgspec
import pytest

from predict.costs.calibrated import Calibrated
from predict.costs.gpus import ALIKE, Slowness, slowest_of
from predict.costs.power_limit.pace import pace_at
from predict.steps.of_case import step_of
from study.results.calibration.layers import GpuTime
from tests.predict.made_up_calibration import calibration, case, loaded


def pair_on(*factors, pace="sustained", uuids=None):
    """A calibration of a pair on whose GPUs layers take so many times as long as on the first."""
    times = tuple(
        GpuTime(**msgspec.structs.asdict(time) | {"rank": rank, "pace": pace} | slower(time, by))
        for rank, by in enumerate(factors)
        for time in calibration().calibration.layers
        if time.kind == 1 and time.rows == 1024
    )
    made = calibration(2, each_gpu=times, beside=())
    return made if uuids is None else with_uuids(made, uuids)


def slower(time, factor):
    return {key: factor * getattr(time, key) for key in ("seconds", "low_s", "high_s")}


def with_uuids(made, uuids):
    gpus = [
        msgspec.structs.replace(made.environment.gpus[0], index=index, uuid=uuid)
        for index, uuid in enumerate(uuids)
    ]
    environment = msgspec.structs.replace(made.environment, gpus=gpus)
    return msgspec.structs.replace(made, environment=environment)


def calibrated(pair, uuid="a GPU of its own", **one):
    return Calibrated(with_uuids(calibration(**one), [uuid]), pair)


def test_one_gpu_is_as_fast_as_those_that_were_seen_are_on_average():
    assert slowest_of(calibrated(pair_on(1.01, 1.05)), 1).loaded == pytest.approx(1.02)


def test_of_several_gpus_the_slowest_counts_whichever_they_are():
    times = calibrated(pair_on(1.03, 1.06))  # and 1, the one whose layers were calibrated
    assert slowest_of(times, 2).loaded == pytest.approx((1.03 + 1.06 + 1.06) / 3)
    assert slowest_of(times, 3).loaded == slowest_of(times, 8).loaded == pytest.approx(1.06)


def test_a_gpu_that_was_calibrated_alone_and_in_the_pair_counts_once():
    pair = pair_on(1.01, 1.04, uuids=["a", "b"])
    assert slowest_of(calibrated(pair, "a"), 1).loaded == pytest.approx(1.02)
    assert slowest_of(calibrated(pair, "c"), 1).loaded == pytest.approx((1 + 1.01 + 1.04) / 3)


def test_older_calibrations_and_those_of_one_gpu_know_of_no_difference():
    assert slowest_of(calibrated(calibration(2)), 4) == ALIKE
    assert slowest_of(calibrated(None), 4) == ALIKE


def test_a_gpu_under_load_may_be_slower_than_another_that_is_as_fast_after_a_pause():
    slowness = Slowness(rested=1.0, loaded=1.04)
    times = calibration(loaded=loaded({0.25: 0.8, 0.75: 0.8, 1.0: 1.0})).calibration
    assert pace_at(times, 0.5, slowness).gpu == 1.0
    assert pace_at(times, 1.0, slowness).gpu == 1.04


@pytest.mark.parametrize("schedule", ["gpipe", "ddp", "tensor"])
def test_gpus_that_work_together_take_as_long_as_the_slowest(schedule):
    made = case(schedule=schedule, micro_batches=8 if schedule == "gpipe" else 1)
    alike, differing = (
        step_of(made, calibrated(pair)).seconds for pair in (pair_on(1, 1), pair_on(1, 1.05))
    )
    of_two = (1 + 1.05 + 1.05) / 3
    assert differing / alike == pytest.approx(of_two, rel=0.005)


def test_gpus_that_take_turns_are_as_fast_as_the_average():
    made = case(schedule="naive", micro_batches=1)
    alike, differing = (
        step_of(made, calibrated(pair)).seconds for pair in (pair_on(1, 1), pair_on(1, 1.06))
    )
    assert differing / alike == pytest.approx(1.02, rel=0.002)


def test_what_waits_for_memory_is_as_fast_on_all_of_them():
    under_load = calibration().calibration.layers
    rested = tuple(
        msgspec.structs.replace(
            time, pace="unthrottled", **slower(time, 1.0 if time.kind == 2 else 0.8)
        )
        for time in under_load
    )
    paces = {"loaded": loaded({0.25: 0.8, 1.0: 1.0}), "layers": (*under_load, *rested)}
    made = case(gpus=1, schedule="naive", micro_batches=1)
    alike, differing = (
        step_of(made, calibrated(pair, **paces)).seconds
        for pair in (pair_on(1, 1), pair_on(1.06, 1.06))
    )
    layers_s, average = 8 * 23e-3, (0.06 + 0.06) / 3
    assert differing - alike == pytest.approx(average * layers_s, rel=0.01)
