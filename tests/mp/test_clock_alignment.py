"""The clock of a GPU set to the host's: within bounds, however late a GPU reaches an event."""

import random
from types import SimpleNamespace

import pytest
import torch

from mp.hardware.devices import Devices
from mp.timing import alignment, clocks
from mp.timing.alignment import PROBES, RESOLUTION_S, Probe, align
from mp.timing.clocks import EventClock


class FakeGpus:
    """The host's clock, and GPUs whose clocks are apart from it by `offsets`, in seconds.

    A call takes the host 2 µs; a GPU reaches an event `late` seconds after it was recorded.
    """

    def __init__(self, monkeypatch, offsets, late):
        self.now, self.offsets, self.late = 100.0, offsets, late
        cuda = SimpleNamespace(current_stream=lambda device: device, Event=self.event)
        monkeypatch.setattr(torch, "cuda", cuda)
        for module in (alignment, clocks):
            monkeypatch.setattr(module, "perf_counter", self.read)

    def read(self):
        self.now += 2e-6
        return self.now

    def event(self, enable_timing):
        return FakeEvent(self)


class FakeEvent:
    def __init__(self, gpus):
        self.gpus = gpus

    def record(self, device):
        self.host_s = self.gpus.read() + self.gpus.late(device.index)
        self.gpu_s = self.host_s + self.gpus.offsets[device.index]

    def query(self):
        return self.gpus.read() >= self.host_s

    def elapsed_time(self, later):
        return 1e3 * (later.gpu_s - self.gpu_s)


def clock_of_two():
    gpus = [torch.device("cuda", number) for number in range(2)]
    clock = EventClock(Devices(gpus, gpus))
    clock.align()
    return clock


def test_an_event_at_one_moment_has_one_time_on_gpus_whose_clocks_are_days_apart(monkeypatch):
    random.seed(0)
    late = {0: lambda: random.uniform(3e-6, 9e-6), 1: lambda: random.uniform(40e-6, 60e-6)}
    gpus = FakeGpus(monkeypatch, (-1e4, 5e4), lambda gpu: late[gpu]())
    clock = clock_of_two()
    clock.start()
    gpus.late, at = (lambda gpu: 0.0), []
    for gpu in range(2):
        mark = clock.mark(gpu)
        at.append(clock.seconds(gpu, mark) - (mark.host_s - clock.started))
    assert max(map(abs, at)) <= clock.error_s
    assert abs(at[1] - at[0]) <= 2 * clock.error_s


def test_one_quick_answer_bounds_the_error_though_a_gpu_is_slow_at_first(monkeypatch):
    waits = iter([300e-6, 45e-6, 45e-6, 2e-6, *[45e-6] * 100])
    FakeGpus(monkeypatch, (0.0, 0.0), lambda gpu: next(waits) if gpu == 0 else 2e-6)
    assert clock_of_two().error_s < 8e-6


def test_the_origin_lies_within_the_bounds_of_every_probe():
    probes = [Probe(10.0, 10.5, 0.0), Probe(11.0, 11.2, 0.9), Probe(12.0, 13.0, 1.8)]
    found = align(probes)
    assert found.origin_host_s == pytest.approx((10.2 + 10.3) / 2)
    assert found.error_s == pytest.approx(0.05 + RESOLUTION_S)


def test_events_are_made_once_and_probed_before_the_step_alone(monkeypatch):
    made = []
    gpus = FakeGpus(monkeypatch, (0.0, 0.0), lambda gpu: 2e-6)
    make = gpus.event
    torch.cuda.Event = lambda enable_timing: made.append(1) or make(enable_timing)
    clock = clock_of_two()
    for _ in range(3):
        clock.align()
        before = gpus.now
        clock.start()
        assert gpus.now - before == pytest.approx(2e-6)  # one reading of the clock, and no event
        clock.mark(0)
    assert len(made) == 2 * PROBES + 1
