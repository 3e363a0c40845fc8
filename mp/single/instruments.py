"""Instrumented steps in one process: timestamps where the baton is passed, and nowhere else.

A span of compute is one block of layers on one GPU, with the gaps between its kernels. `Tensor.to`
and everything else run as in a timed step, but the optimizer, which is called once for each GPU.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import nn

from mp.hardware.devices import Devices
from mp.hardware.logical import BatonTarget
from mp.single.step import TrainingStep
from mp.timing.clocks import Clock, Mark, clock_of
from mp.timing.timeline import Span, Timeline
from study.results.measurement import SpanKind

Moment = tuple[int, Mark]  # of a GPU


def record_timeline(step: TrainingStep, devices: Devices) -> Timeline:
    """Train one instrumented step."""
    recorder = _Recorder(clock_of(devices))
    parameters = step.parameters_per_gpu()
    first, last = step.model.gpu_of_layer[0], step.model.gpu_of_layer[-1]
    devices.synchronize()
    started = recorder.clock.start()
    recorder.begin(first, "forward")
    _run_instrumented(step, recorder, first, step.forward)
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
    """Collects timestamps while a step runs, and makes spans of them afterwards."""

    clock: Clock
    open: dict[int, tuple[SpanKind, Moment]] = field(default_factory=dict)
    pieces: list[tuple[int, SpanKind, Moment, Moment]] = field(default_factory=list)
    transfers: list[tuple[int, int, Moment, Moment, Moment, int]] = field(default_factory=list)

    def begin(self, gpu: int, kind: SpanKind) -> None:
        self.open[gpu] = (kind, (gpu, self.clock.mark(gpu)))

    def end(self, gpu: int) -> Moment:
        kind, start = self.open.pop(gpu)
        end = (gpu, self.clock.mark(gpu))
        self.pieces.append((gpu, kind, start, end))
        return end

    def transfer(self, source: int, target: int, start: Moment, size: int) -> None:
        """Note a copy that has been launched.

        Args:
            source: the GPU that it comes from.
            target: the GPU that it goes to.
            start: its beginning, on the source.
            size: in bytes.
        """
        sent = (source, self.clock.mark(source))
        received = (target, self.clock.mark(target))
        self.transfers.append((source, target, start, sent, received, size))

    def at(self, moment: Moment) -> float:
        """Return the seconds since the step's start."""
        return self.clock.seconds(*moment)

    def spans(self) -> Iterator[Span]:
        """Yield all spans, in no order."""
        for gpu, kind, start, end in self.pieces:
            yield Span(gpu, kind, self.at(start), self.at(end))
        for number, (source, target, start, sent, received, size) in enumerate(self.transfers):
            start_s, sent_s, received_s = map(self.at, (start, sent, received))
            # The receiver's clock tells when the data was there; how long it took, the sender's.
            began_s = received_s - (sent_s - start_s)
            yield Span(source, "transfer_out", start_s, sent_s, target, size, number)
            yield Span(target, "transfer_in", began_s, received_s, source, size, number)


class _InstrumentedGPU(BatonTarget):
    """A GPU of the model that notes when the baton comes to it, and when its gradient leaves."""

    recorder: _Recorder
    layer_device: Any
    baton: list[int]

    def receive(self, x: torch.Tensor) -> torch.Tensor:
        (source,) = self.baton
        if source == self.gpu:
            return x.to(self.layer_device)
        self.baton[0] = self.gpu
        start = self.recorder.end(source)
        passed = x.to(self.layer_device)
        self.recorder.transfer(source, self.gpu, start, passed.nbytes)
        self.recorder.begin(self.gpu, "forward")
        self._watch_gradient(passed.grad_fn, source)
        return passed

    def _watch_gradient(self, copy: Any, back_to: int) -> None:
        """Time the copy's own backward right before and after it, in the thread that runs it."""
        start: Moment

        def leaves(gradients: Any) -> None:
            nonlocal start
            start = self.recorder.end(self.gpu)

        def has_left(copied: Any, gradients: Any) -> None:
            self.recorder.transfer(self.gpu, back_to, start, copied[0].nbytes)
            self.recorder.begin(back_to, "backward")

        copy.register_prehook(leaves)
        copy.register_hook(has_left)


def _run_instrumented(
    step: TrainingStep, recorder: _Recorder, first: int, run: Callable[[], None]
) -> None:
    """Run with every GPU of the model replaced by an instrumented one."""
    devices, baton = step.model.devices, [first]
    instrumented = []
    for number, layer_device in enumerate(devices):
        gpu = torch.empty(0).as_subclass(_InstrumentedGPU)
        gpu.gpu, gpu.layer_device = number, layer_device
        gpu.recorder, gpu.baton = recorder, baton
        instrumented.append(gpu)
    step.model.devices = instrumented
    try:
        run()
    finally:
        step.model.devices = devices


def _optimize(
    step: TrainingStep, recorder: _Recorder, parameters_per_gpu: list[list[nn.Parameter]]
) -> None:
    """Run the optimizer once for each GPU's parameters: the same kernels, timed apart."""
    (group,) = step.optimizer.param_groups
    try:
        for gpu, parameters in enumerate(parameters_per_gpu):
            recorder.begin(gpu, "optimizer")
            step.optimizer.param_groups = [{**group, "params": parameters}]
            step.optimizer.step()
            recorder.end(gpu)
    finally:
        step.optimizer.param_groups = [group]
