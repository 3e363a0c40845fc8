"""How a calibration times a GPU, with a stand-in: a CPU whose events are the host's clock.

Nothing here says how long anything takes on a GPU; test_cuda_calibration.py does.
"""

import time
from contextlib import nullcontext

import pytest
import torch

from mp.calibration import layers, load, loads, stopwatch, updates
from mp.calibration.between import alternating
from mp.calibration.layers import usual_with_middle_rows
from mp.calibration.stacks import Stack
from mp.calibration.stopwatch import time_sustained, time_unthrottled
from tests.mp.test_calibration_parts import CPU, setting_of, stack_of

CYCLES_PER_S = 2e9


class Clock:
    """The host's clock, or one on which nothing takes time but what says so."""

    def __init__(self):
        self.now, self.is_real = 0.0, True

    def __call__(self):
        return time.perf_counter() if self.is_real else self.now

    def sleep(self, seconds):
        self.now += seconds
        if self.is_real:
            time.sleep(seconds)


CLOCK = Clock()


class Event:
    """A stand-in for torch.cuda.Event: it is recorded when the host gets there."""

    is_reached = False  # by the GPU, once all was launched

    def __init__(self, enable_timing=False):
        self.moment = None

    def record(self, stream=None):
        self.moment = CLOCK()

    def synchronize(self):
        assert self.moment is not None

    def query(self):
        return self.is_reached

    def elapsed_time(self, other):
        return 1e3 * (other.moment - self.moment)


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    CLOCK.__init__()
    for module in (stopwatch, layers, load, loads, updates):
        monkeypatch.setattr(module, "is_gpu", lambda device: True, raising=False)
    monkeypatch.setattr(stopwatch, "PAUSE_S", 0.0)
    monkeypatch.setattr(stopwatch, "perf_counter", CLOCK)
    cuda = {
        "Event": Event, "synchronize": lambda device=None: None,
        "current_stream": lambda device=None: None, "device": lambda device: nullcontext(),
        "_sleep": lambda cycles: CLOCK.sleep(cycles / CYCLES_PER_S),
        "mem_get_info": lambda device=None: (2**30, 2**31),
    }  # fmt: skip
    for name, stand_in in cuda.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)


@pytest.fixture
def made_up_time():
    CLOCK.is_real = False


def lasting(seconds, runs):
    """An action of so many seconds, which counts its runs."""
    return lambda: (runs.append(1), CLOCK.sleep(seconds))


def passes_of(seconds):
    """Forward and backward of so many seconds in all."""
    return [(name, lasting(seconds / 2, [])) for name in ("forward", "backward_later")]


def test_times_count_only_if_the_gpu_spun_for_longer_than_the_host_launched(made_up_time):
    runs = []
    found, host = time_unthrottled([("a", lasting(0.025, runs))], CPU, 0.0)
    assert found["a"] == pytest.approx([0.025] * 3)
    assert host["a"] == pytest.approx([0.025] * 3)
    # To warm up, to time launching, behind 10 ms of spinning, and behind 37.5 ms.
    assert len(runs) == 2 + 3 + 1 + 3


def test_a_long_round_is_cut_into_bursts_each_of_which_begins_after_a_pause(
    made_up_time, monkeypatch
):
    spun = []
    actions = [(str(n), lasting(0.03, [])) for n in range(3)]
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: (spun.append(1), CLOCK.sleep(0.05)))
    found, _ = time_unthrottled(actions, CPU, 0.0)
    assert {name: len(samples) for name, samples in found.items()} == {"0": 3, "1": 3, "2": 3}
    assert len(spun) == 9


def test_what_is_timed_under_load_is_what_comes_after_the_warm_up(made_up_time):
    runs = []
    found = time_sustained([("a", lasting(0.01, runs))], CPU, 1.0)
    assert len(found["a"]) < 0.5 * len(runs)
    assert found["a"] == pytest.approx([0.01] * len(found["a"]))


def test_a_gpu_that_waits_for_its_host_is_not_under_load(made_up_time, monkeypatch):
    mark = stopwatch.Stopwatch.mark

    def slowly(watch):
        CLOCK.sleep(0.001)
        return mark(watch)

    monkeypatch.setattr(stopwatch.Stopwatch, "mark", slowly)
    assert time_sustained([("a", lasting(0.001, []))], CPU, 0.05) is None


def test_a_gpu_that_comes_to_actions_before_they_are_launched_is_not_under_load(
    made_up_time, monkeypatch
):
    monkeypatch.setattr(Event, "is_reached", True)
    assert time_sustained([("a", lasting(0.01, []))], CPU, 0.05) is None


@pytest.mark.parametrize("number", range(len(loads.SHARES)))
def test_a_share_at_which_the_gpu_waits_for_its_host_is_no_time_of_a_gpu(monkeypatch, number):
    late = loads.SHARES[number]
    monkeypatch.setattr(loads, "SLOT_S", {"cpu": (0.0, 0.01)})
    monkeypatch.setattr(loads, "BURSTS_S", ())
    monkeypatch.setattr(load.Load, "waits_for_host", property(lambda its: its.share == late))
    found = loads.measure_loads(setting_of(), 0.05)
    assert len(found.shares) == len(loads.SHARES) - 1


def test_a_pass_that_the_gpu_came_to_before_its_launch_is_counted(monkeypatch):
    made = load.Load(stack_of(), 1.0, loads.PERIOD_S)
    made.measure(0.02)
    assert not made.waits_for_host
    monkeypatch.setattr(Event, "is_reached", True)
    made.measure(0.02)
    assert made.waits_for_host


def test_a_load_takes_rows_that_the_host_launches_in_time(monkeypatch):
    words = "rows=2,4,8,16 gradients=separate schedules=gpipe layers=2"
    tried = []

    def is_ahead(its):
        tried.append(its.stack.rows)
        return its.stack.rows >= enough

    monkeypatch.setattr(
        load.Load, "is_ahead", property(is_ahead, lambda its, value: None), raising=False
    )
    enough = 8
    assert loads._stack_ahead(setting_of(words)).rows == 8
    enough = 16
    assert loads._stack_ahead(setting_of(words)).rows == 16
    enough = 32  # no rows are enough: the most have the longest times
    assert loads._stack_ahead(setting_of(words)).rows == 16
    assert tried == [8, 8, 8]  # the most need no try


def test_layers_that_fit_forward_alone_are_fewer(monkeypatch):
    def too_large(stack):
        if stack.count > 1:
            raise torch.OutOfMemoryError("made up")

    monkeypatch.setattr(Stack, "try_all", too_large)
    setting = setting_of()
    assert setting.stack(setting.usual, setting.wanted.rows[0], "separate").count == 1
    assert setting.left_out == []


def test_layers_and_updates_have_times_at_every_pace():
    setting = setting_of(dim=64)
    found = layers.measure_layers(setting, 0.5)
    assert {t.pace for t in found} >= {"unthrottled", "host"}
    its = updates.measure_updates(setting, 0.2)
    assert {t.pace for t in its} >= {"unthrottled", "host"}
    assert setting.left_out == []


def test_usual_layers_are_timed_on_each_gpu_with_the_rows_in_the_middle():
    setting = setting_of(dim=64)
    found = layers.measure_each_gpu(setting, 0.5)
    rows = setting.wanted.rows
    assert {(t.rank, t.kind, t.rows) for t in found} == {(0, setting.usual, rows[len(rows) // 2])}
    assert {t.action for t in found} >= {"forward", "backward_later"}
    assert {t.pace for t in found} - {"sustained"} == {"unthrottled"}
    assert setting.left_out == []


def test_an_optimizer_is_measured_with_as_many_layers_as_fit(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (20_000, 2**31))
    setting = setting_of()
    found = updates.measure_updates(setting, 0.1)
    assert {t.tensors for t in found} == {4}
    assert setting.left_out == ["The optimizer is measured with 2 layers, not 3."]


def test_a_gpu_that_computes_part_of_the_time_spins_for_the_rest(made_up_time, monkeypatch):
    """Under load, passes take longer than the two from which their number in a burst follows."""
    monkeypatch.setattr(load, "perf_counter", CLOCK)
    pass_s, measure = 0.004, load.Load.measure

    def under_load(its, seconds):
        monkeypatch.setattr(Stack, "later_pass", lambda stack: passes_of(1.25 * pass_s))
        found = measure(its, 1.0)
        monkeypatch.setattr(Stack, "later_pass", lambda stack: passes_of(pass_s))
        return found

    monkeypatch.setattr(Stack, "later_pass", lambda stack: passes_of(pass_s))
    monkeypatch.setattr(load.Load, "measure", under_load)
    found = loads.measure_loads(setting_of(), 1.0)
    shares = [1.25 / (1.25 + 1 / share - 1) for share in loads.SHARES]
    assert [its.busy_share for its in found.shares] == pytest.approx(shares)
    assert [its.seconds for its in found.shares] == pytest.approx([1.25 * pass_s] * len(shares))
    assert [its.burst_s for its in found.bursts] == pytest.approx([1.25 * 0.08, 1.25 * 0.2])
    assert {its.rows for its in found.bursts} == {found.shares[0].rows}


@pytest.mark.parametrize(("pass_s", "waits"), [(0.0005, 1), (0.0035, 4), (0.1, 16), (1e-12, 1)])
def test_a_pass_and_all_reduces_that_take_as_long_share_the_time(
    made_up_time, monkeypatch, pass_s, waits
):
    reduced = []

    def all_reduce(buffer, op):
        reduced.append(buffer.nbytes)
        CLOCK.sleep(buffer.nbytes / 1e9)

    monkeypatch.setattr(alternating.dist, "all_reduce", all_reduce)
    monkeypatch.setattr(Stack, "later_pass", lambda stack: passes_of(pass_s))
    setting = setting_of()
    (found,) = alternating.measure_alternating(setting, [], 0.05)
    connects, *reduced = reduced
    assert connects == alternating.LARGEST["cpu"]
    assert len(reduced) == 2 * found.count * waits  # those before it settles do not count
    assert found.bytes == waits * reduced[0]
    assert (found.rank, found.kind, found.layers) == (0, setting.usual, 4)
    if 2**20 / 16e9 < pass_s < 16 * 2**20 / 1e9:
        assert found.seconds == pytest.approx(pass_s / 4)
        assert found.busy_share == pytest.approx(0.5, abs=0.08)
    monkeypatch.setattr(Event, "is_reached", True)
    assert alternating.measure_alternating(setting, [], 0.05) == []  # the GPU waits for its host


def test_of_rows_that_are_asked_for_with_no_gradients_none_is_in_the_middle():
    setting = setting_of("rows=4,8,16 gradients=fused schedules=gpipe layers=2 fused_rows=4")
    assert usual_with_middle_rows(setting) == (setting.usual, 4, "fused")


def test_layers_between_all_reduces_that_the_time_does_not_suffice_for_are_named(monkeypatch):
    setting = setting_of(dim=64)
    monkeypatch.setattr(setting.deadline, "is_over", lambda: True)
    assert alternating.measure_alternating(setting, [], 0.1) == []
    assert setting.left_out == ["No time was left for layers between all-reduces."]


def test_bursts_that_the_time_does_not_suffice_for_are_named(monkeypatch):
    monkeypatch.setattr(loads, "SHARES", ())
    setting = setting_of(dim=64)
    monkeypatch.setattr(setting.deadline, "is_over", lambda: True)
    assert loads.measure_loads(setting, 0.1).bursts == []
    assert setting.left_out[0] == "No time was left for a GPU that computes for 0.08 s at once."
