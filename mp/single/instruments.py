"""Instrumented steps: marks where the baton is passed, and nowhere else.

A span of compute is one block of layers on one GPU, with the gaps between its kernels. `Tensor.to`
and everything else run as in a timed step, but the optimizer, which is called once for each GPU.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch

from mp.hardware.baton import BatonTarget
from mp.hardware.devices import Devices
from mp.single.step import TrainingStep
from mp.timing.clocks import EventClock, HostClock, clock_of
from mp.timing.timeline import Span, Timeline
from mp.timing.timer import no_garbage_collection

MIN_STEPS, MAX_STEPS = 3, 20


def record_timelines(step: TrainingStep, devices: Devices, time_limit_s: float) -> list[Timeline]:
    """Train some steps with marks: 20, or those of the time limit, but 3 at least."""
    started = perf_counter()
    timelines: list[Timeline] = []
    record_timeline(step, devices)  # the first makes what the others find made
    with no_garbage_collection():
        while len(timelines) < MAX_STEPS:
            if len(timelines) >= MIN_STEPS and perf_counter() - started >= time_limit_s:
                break
            timelines.append(record_timeline(step, devices))
    return timelines


def record_timeline(step: TrainingStep, devices: Devices) -> Timeline:
    """Train one step, with marks."""
    recorder = _Recorder(clock_of(devices))
    parameters = step.parameters_per_gpu()
    first, last = step.model.gpu_of_layer[0], step.model.gpu_of_layer[-1]
    devices.synchronize()
    started = recorder.clock.start()
    recorder.begin(first, "forward")
    _with_probes(step, recorder, first, step.forward)
    forward_end = recorder.end(last)
    recorder.begin(last, "backward")
    step.backward()
    backward_end = recorder.end(first)
    _optimize(step, recorder, parameters)
    devices.synchronize()
    now = perf_counter()
    ends = [(gpu, recorder.clock.last_mark(gpu, now)) for gpu in range(len(devices.gpus))]
    devices.synchronize()
    return Timeline(
        spans=sorted(recorder.spans(), key=lambda span: span.start_s),
        step_s=now - started,
        ends_s=[recorder.at(end) for end in ends],
        phase_ends_s=(recorder.at(forward_end), recorder.at(backward_end)),
    )


@dataclass
class _Recorder:
    """Collects marks while a step runs, as (gpu, mark), and makes spans of them afterwards."""

    clock: HostClock | EventClock
    open: dict[int, Any] = field(default_factory=dict)
    pieces: list[Any] = field(default_factory=list)
    transfers: list[Any] = field(default_factory=list)

    def begin(self, gpu, kind):
        self.open[gpu] = (kind, (gpu, self.clock.mark(gpu)))

    def end(self, gpu):
        kind, start = self.open.pop(gpu)
        end = (gpu, self.clock.mark(gpu))
        self.pieces.append((gpu, kind, start, end))
        return end

    def transfer(self, source, target, start, size):
        """A copy from source to target has been asked for; it began at `start` on the source."""
        sent = (source, self.clock.mark(source))
        received = (target, self.clock.mark(target))
        self.transfers.append((source, target, start, sent, received, size))

    def at(self, moment):
        """Seconds since the step's start."""
        return self.clock.seconds(*moment)

    def spans(self):
        """All that was seen, in no order."""
        for gpu, kind, start, end in self.pieces:
            yield Span(gpu, kind, self.at(start), self.at(end))
        for number, (source, target, start, sent, received, size) in enumerate(self.transfers):
            start_s, sent_s, received_s = map(self.at, (start, sent, received))
            # The receiver's clock tells when the data was there; how long it took, the sender's.
            began_s = received_s - (sent_s - start_s)
            yield Span(source, "transfer_out", start_s, sent_s, target, size, number)
            yield Span(target, "transfer_in", began_s, received_s, source, size, number)


class _Probe(BatonTarget):
    """A GPU of the model that marks when the baton comes to it, and when its gradient leaves."""

    recorder: _Recorder
    layer_device: object
    baton: list[int]

    def receive(self, x):
        (source,) = self.baton
        if source == self.index:
            return x.to(self.layer_device)
        self.baton[0] = self.index
        start = self.recorder.end(source)
        passed = x.to(self.layer_device)
        self.recorder.transfer(source, self.index, start, passed.nbytes)
        self.recorder.begin(self.index, "forward")
        self._watch_gradient(passed.grad_fn, source)
        return passed

    def _watch_gradient(self, copy, back_to):
        """Mark right before and right after the copy's own backward, in the thread that runs it."""
        start = None

        def leaves(gradients):
            nonlocal start
            start = self.recorder.end(self.index)

        def has_left(copied, gradients):
            self.recorder.transfer(self.index, back_to, start, copied[0].nbytes)
            self.recorder.begin(back_to, "backward")

        copy.register_prehook(leaves)
        copy.register_hook(has_left)


def _with_probes(step: TrainingStep, recorder: _Recorder, first: int, run: Callable[[], None]):
    """Run with every GPU of the model replaced by a probe of it."""
    devices, baton = step.model.devices, [first]
    probes = []
    for gpu, layer_device in enumerate(devices):
        probe = torch.empty(0).as_subclass(_Probe)
        probe.index, probe.layer_device = gpu, layer_device
        probe.recorder, probe.baton = recorder, baton
        probes.append(probe)
    step.model.devices = probes
    try:
        run()
    finally:
        step.model.devices = devices


def _optimize(step: TrainingStep, recorder: _Recorder, parameters_per_gpu):
    """The optimizer, once for each GPU's parameters: the same kernels, but with marks between."""
    (group,) = step.optimizer.param_groups
    try:
        for gpu, parameters in enumerate(parameters_per_gpu):
            recorder.begin(gpu, "optimizer")
            step.optimizer.param_groups = [{**group, "params": parameters}]
            step.optimizer.step()
            recorder.end(gpu)
    finally:
        step.optimizer.param_groups = [group]
