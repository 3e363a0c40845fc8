"""The record of a calibration: timings with their spread, written and read back."""

import random

import msgspec
import pytest

from study.results.calibration.layers import LayerTime
from study.results.calibration.record import Calibration
from study.results.calibration.timing import Timing, timed


def test_a_timing_is_the_median_and_the_quartiles_of_its_samples():
    found = timed(Timing, [5.0, 1.0, 3.0, 2.0, 4.0])
    assert found == Timing(seconds=3.0, low_s=2.0, high_s=4.0, count=5)


def test_a_single_time_is_its_own_quartiles_and_has_no_interval():
    found = timed(Timing, [0.25])
    assert (found.low_s, found.seconds, found.high_s) == (0.25, 0.25, 0.25)
    assert found.half_width_s is None


def test_the_interval_of_a_median_of_25_times_covers_the_true_one_in_85_percent():
    draw = random.Random(0)
    covered = 0
    for _ in range(1000):
        found = timed(Timing, [draw.gauss(10.0, 1.0) for _ in range(25)])
        covered += abs(found.seconds - 10.0) <= found.half_width_s
    assert 820 <= covered <= 880


def test_a_calibration_is_read_back_as_it_was_written():
    layer = timed(
        LayerTime, [1e-3, 2e-3], kind=0, action="forward", rows=64, gradients="separate",
        pace="sustained",
    )  # fmt: skip
    written = Calibration(gpus=1, nodes=1, measuring_s=2.0, layers=(layer,))
    text = msgspec.json.encode(written)
    assert msgspec.json.decode(text, type=Calibration) == written
    assert written.is_whole


def test_a_calibration_with_a_key_that_nobody_knows_is_refused():
    text = b'{"gpus": 1, "nodes": 1, "measuring_s": 1.0, "speed": 2}'
    with pytest.raises(msgspec.ValidationError, match="speed"):
        msgspec.json.decode(text, type=Calibration)
