"""The record of a calibration: timings with their spread, written and read back."""

import random

import msgspec
import pytest

from study.results.calibration.layers import BurstTime, GpuTime, LayerTime
from study.results.calibration.links import TransferTime
from study.results.calibration.plausible import find_calibration_problem
from study.results.calibration.record import Calibration
from study.results.calibration.timing import Timing, timed
from tests.predict.made_up_calibration import calibration, host_run, loaded


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


def on_a_gpu(seconds=1e-3, **changes):
    fields = {"kind": 1, "action": "forward", "rows": 8, "gradients": "separate", "rank": 0}
    return timed(GpuTime, [seconds], **fields | {"pace": "sustained"} | changes)


def transfer(seconds=1e-3, size=2**20):
    return timed(TransferTime, [seconds], direction="send", bytes=size, rows=8, layers_s=0.0)


def burst(burst_s):
    (like,) = loaded({0.5: 1.0})
    return BurstTime(**msgspec.structs.asdict(like), burst_s=burst_s)


def test_a_burst_takes_some_time():
    made = calibration(bursts=(burst(0.2),))
    assert find_calibration_problem(made.case, made.calibration) is None
    made = calibration(bursts=(burst(0.2), burst(0.0)))
    assert "a burst that takes no time" in find_calibration_problem(made.case, made.calibration)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"each_gpu": (on_a_gpu(0.0),)}, "does not lie between its quartiles"),
        ({"each_gpu": (on_a_gpu(kind=9),)}, "a kind of layer that it does not have"),
        ({"each_gpu": (on_a_gpu(rank=2),)}, "a GPU that it does not have"),
        ({"transfers": (transfer(0.0),)}, "does not lie between its quartiles"),
        ({"transfers": (transfer(size=0),)}, "a message of no bytes"),
        ({"host": (host_run("ddp", "gpt", 4, step=1),)}, "layers of gpt"),
        ({"host": (host_run("ddp", "linear", 4, step=0),)}, "takes no time"),
    ],
)
def test_what_no_pair_measures_is_refused(changes, words):
    possible = calibration(2, each_gpu=(on_a_gpu(),), transfers=(transfer(),))
    assert find_calibration_problem(possible.case, possible.calibration) is None
    made = calibration(2, **changes)
    assert words in find_calibration_problem(made.case, made.calibration)


def test_a_calibration_of_other_gpus_than_its_case_is_refused_in_words():
    pair = calibration(2)
    said = find_calibration_problem(pair.case, calibration().calibration)
    assert said == "is a calibration of 1 GPU on 1 node, and its case has 2 GPUs"


def test_steps_of_the_hosts_own_layers_are_those_of_a_model_with_blocks():
    gpt = calibration(2, kind="gpt", heads=4, seq_len=8, vocab=32, tied=False, kinds=())
    runs = (host_run("ddp", "gpt", 4, step=1),)
    made = msgspec.structs.replace(gpt.calibration, host=runs, beside=())
    assert find_calibration_problem(gpt.case, made) is None
    own = msgspec.structs.replace(gpt.case, kind="factory")
    runs = (host_run("ddp", "factory", 4, step=1),)
    made = msgspec.structs.replace(made, host=runs)
    assert "layers of factory" in find_calibration_problem(own, made)
