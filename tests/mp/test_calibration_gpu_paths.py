"""How a calibration times a GPU, with a stand-in: a CPU whose events are the host's clock.

Nothing here says how long anything takes on a GPU; test_cuda_calibration.py does.
"""

import time
from contextlib import nullcontext

import pytest
import torch

from mp.calibration import layers, load, stopwatch, updates
from mp.calibration.stopwatch import time_sustained, time_unthrottled
from tests.mp.test_calibration_parts import CPU, setting_of

CYCLES_PER_S = 2e9
LAUNCH_S = 0.025


class Event:
    """A stand-in for torch.cuda.Event: it is recorded when the host gets there."""

    def __init__(self, enable_timing=False):
        self.moment = None

    def record(self, stream=None):
        self.moment = time.perf_counter()

    def synchronize(self):
        assert self.moment is not None

    def elapsed_time(self, other):
        return 1e3 * (other.moment - self.moment)


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    for module in (stopwatch, layers, load, updates):
        monkeypatch.setattr(module, "is_gpu", lambda device: True, raising=False)
    monkeypatch.setattr(stopwatch, "PAUSE_S", 0.0)
    cuda = {
        "Event": Event, "synchronize": lambda device=None: None,
        "current_stream": lambda device=None: None, "device": lambda device: nullcontext(),
        "_sleep": lambda cycles: time.sleep(cycles / CYCLES_PER_S),
        "mem_get_info": lambda device=None: (2**30, 2**31),
    }  # fmt: skip
    for name, stand_in in cuda.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)


def test_times_count_only_if_the_gpu_spun_for_longer_than_the_host_launched():
    runs = []
    actions = [("a", lambda: (runs.append(1), time.sleep(LAUNCH_S)))]
    found, host = time_unthrottled(actions, CPU, 0.0)
    discarded = len(runs) - 2 - len(found["a"])  # two warm up
    assert len(found["a"]) == len(host["a"]) == 3
    assert discarded > 0


def test_a_long_round_is_cut_into_bursts_each_of_which_begins_after_a_pause(monkeypatch):
    spun = []
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: (spun.append(1), time.sleep(0.05)))
    actions = [(str(n), lambda: time.sleep(0.03)) for n in range(3)]
    found, _ = time_unthrottled(actions, CPU, 0.0)
    assert {name: len(samples) for name, samples in found.items()} == {"0": 3, "1": 3, "2": 3}
    assert len(spun) == 9


def test_what_is_timed_under_load_is_what_comes_after_the_warm_up():
    found = time_sustained([("a", lambda: time.sleep(0.002))], CPU, 0.2)
    assert 3 <= len(found["a"]) <= 60
    assert min(found["a"]) >= 0.002


def test_a_gpu_that_waits_for_its_host_is_not_under_load(monkeypatch):
    mark = stopwatch.Stopwatch.mark

    def slowly(watch):
        time.sleep(0.001)
        return mark(watch)

    monkeypatch.setattr(stopwatch.Stopwatch, "mark", slowly)
    assert time_sustained([("a", lambda: time.sleep(0.001))], CPU, 0.05) is None


def test_layers_and_updates_have_times_at_every_pace():
    setting = setting_of(dim=64, time_limit_s=30.0)
    found = layers.measure_layers(setting, 0.5)
    assert {t.pace for t in found} >= {"unthrottled", "host"}
    its = updates.measure_updates(setting, 0.2)
    assert {t.pace for t in its} >= {"unthrottled", "host"}
    assert setting.left_out == []


def test_an_optimizer_is_measured_with_as_many_layers_as_fit(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (20_000, 2**31))
    setting = setting_of(time_limit_s=30.0)
    found = updates.measure_updates(setting, 0.1)
    assert {t.tensors for t in found} == {4}
    assert setting.left_out == ["The optimizer is measured with 2 layers, not 3."]


def test_a_gpu_that_computes_part_of_the_time_spins_for_the_rest(monkeypatch):
    monkeypatch.setattr(load, "PERIOD_S", 0.004)
    found = load.measure_loaded(setting_of(dim=256, batch_size=64, time_limit_s=30.0), 1.0)
    shares = [t.busy_share for t in found]
    assert len(shares) == len(load.SHARES)
    assert shares[0] < 0.6
    assert shares[-1] > 0.8
