"""Instrumented steps: timestamps where the baton is passed, and training as without them."""

import itertools

import pytest
import torch

from mp.engine import Communicator
from mp.hardware.devices import choose_devices
from mp.measure import record_timelines
from mp.single.engine import SingleEngine
from mp.single.instruments import _InstrumentedGPU, record_timeline
from mp.timing.clocks import HostClock
from mp.timing.timeline import break_down
from study.case import Case


def made(gpus=3, **keys):
    engine = engine_of(gpus, **keys)
    return engine.build(engine.case), engine.world.devices


def engine_of(gpus=3, **keys):
    case = Case(depth=6, gpus=gpus, dim=32, batch_size=8, **keys)
    return SingleEngine(case, Communicator(choose_devices(gpus, "cpu")))


def recorded(time_limit_s, gpus=3):
    engine = engine_of(gpus)
    return record_timelines(engine, engine.build(engine.case), time_limit_s)


def test_one_gpu_after_another_works_and_passes_the_baton():
    step, devices = made()
    picture = [
        f"{span.gpu} {span.kind}" + ("" if span.peer is None else f" {span.peer}")
        for span in record_timeline(step, devices, HostClock()).spans
    ]
    assert picture == [
        "0 forward", "0 transfer_out 1", "1 transfer_in 0",
        "1 forward", "1 transfer_out 2", "2 transfer_in 1",
        "2 forward",
        "2 backward", "2 transfer_out 1", "1 transfer_in 2",
        "1 backward", "1 transfer_out 0", "0 transfer_in 1",
        "0 backward",
        "0 optimizer", "1 optimizer", "2 optimizer",
    ]  # fmt: skip


def test_spans_of_a_gpu_follow_one_another():
    step, devices = made()
    timeline = record_timeline(step, devices, HostClock())
    for gpu in range(3):
        spans = [span for span in timeline.spans if span.gpu == gpu]
        assert all(span.start_s <= span.end_s for span in spans)
        assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(spans))
        assert spans[-1].end_s <= timeline.step_s


def test_the_bytes_of_a_pass_are_those_of_the_baton():
    step, devices = made()
    passes = [
        span for span in record_timeline(step, devices, HostClock()).spans if span.peer is not None
    ]
    assert {span.bytes for span in passes} == {8 * 32 * 4}
    assert sorted(span.number for span in passes) == sorted([0, 1, 2, 3] * 2)


@pytest.mark.parametrize("gpus", [1, 2, 5])
def test_the_parts_of_every_gpu_add_up_to_the_step(gpus):
    found = break_down(recorded(10.0, gpus), "host")
    parts = ("forward_s", "backward_s", "optimizer_s", "transfer_in_s", "transfer_out_s", "idle_s")
    assert len(found.per_gpu) == gpus
    for gpu in found.per_gpu:
        whole = sum(sum(getattr(gpu, part)) for part in parts)
        assert whole == pytest.approx(sum(found.step_times_s), rel=1e-9)
        assert min(gpu.idle_s) >= 0


def test_the_phases_add_up_to_the_step():
    step, devices = made()
    timeline = record_timeline(step, devices, HostClock())
    assert sum(timeline.phases_s()) == pytest.approx(timeline.step_s)
    assert min(timeline.phases_s()) > 0


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_instrumented_steps_train_as_others(optimizer):
    instrumented, devices = made(optimizer=optimizer)
    plain, _ = made(optimizer=optimizer)
    for _ in range(3):
        record_timeline(instrumented, devices, HostClock())
        plain()
    for ours, theirs in zip(instrumented.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_step_is_afterwards_what_it_was():
    step, devices = made()

    def state():
        model, (group,) = step.model, step.optimizer.param_groups
        return model.devices, model.gpu_of_layer, len(group["params"])

    before = state()
    record_timeline(step, devices, HostClock())
    assert state() == before


def test_a_time_limit_that_has_passed_still_leaves_three_instrumented_steps():
    assert len(recorded(1e-9)) == 3


def test_the_typical_step_is_the_one_of_median_length():
    timelines = recorded(1e-9)
    found = break_down(timelines, "host")
    middle = sorted(timelines, key=lambda timeline: timeline.step_s)[1]
    assert [span.end_s for span in found.typical_step] == [span.end_s for span in middle.spans]


def test_a_plain_step_is_timed_before_each_instrumented_one():
    timelines = recorded(1e-9)
    found = break_down(timelines, "host")
    assert found.plain_step_times_s == [timeline.plain_step_s for timeline in timelines]
    assert min(found.plain_step_times_s) > 0


class CountingClock(HostClock):
    """The host's clock, and how often it was asked for a moment while a step ran."""

    marks = 0

    def mark(self, gpu):
        self.marks += 1
        return super().mark(gpu)


@pytest.mark.parametrize(("gpus", "marks"), [(1, 4), (2, 12), (3, 20)])
def test_a_mark_is_made_only_where_the_kind_of_work_or_the_gpu_changes(gpus, marks):
    step, devices = made(gpus)
    clock = CountingClock()
    record_timeline(step, devices, clock)
    # Forward, backward and optimizer border on one another; each pass, there and back, takes three;
    # each further GPU begins and ends its optimizer.
    assert clock.marks == marks == 4 + (gpus - 1) * (3 + 3 + 2)


@pytest.mark.parametrize("gpus", [1, 3])
def test_only_layers_that_receive_the_baton_are_watched(gpus, monkeypatch):
    step, devices = made(gpus)
    watched = []
    receive = _InstrumentedGPU.receive
    monkeypatch.setattr(
        _InstrumentedGPU, "receive", lambda gpu, x: (watched.append(gpu.gpu), receive(gpu, x))[1]
    )
    record_timeline(step, devices, HostClock())
    assert watched == list(range(1, gpus))
