"""Instrumented steps in one process: timestamps where the baton is passed, and nowhere else.

A span of compute is one block of layers on one GPU, with the gaps between its kernels. Everything
else runs as in a timed step, but the optimizer, whose one call goes through the GPUs in turn. All
that can be made before the step or computed after it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch

from mp.hardware.devices import Devices
from mp.hardware.logical import BatonTarget
from mp.placement import boundaries
from mp.single.step import TrainingStep
from mp.timing.clocks import Clock, Mark
from mp.timing.timeline import Span, Timeline
from study.results.measurement import SpanKind


def record_timeline(step: TrainingStep, devices: Devices, clock: Clock) -> Timeline:
    """Train one instrumented step, and return its timeline.

    Args:
        step: the step.
        devices: its GPUs.
        clock: from `clock_of`, the same for all steps.
    """
    recorder = _Recorder(clock)
    first, last = step.model.gpu_of_layer[0], step.model.gpu_of_layer[-1]
    with _instrumented(step, recorder) as groups:
        devices.synchronize()
        clock.align()
        started = clock.start()
        recorder.begin(first)
        step.forward()
        forward_end = recorder.end(last, "forward")
        step.backward()
        backward_end = recorder.end(first, "backward")
        step.optimizer.param_groups = groups  # only now: zero_grad goes through them, too
        step.optimizer.step()
        devices.synchronize()
        now = perf_counter()
    ends = [clock.last_mark(gpu, now) for gpu in range(len(devices.gpus))]
    devices.synchronize()
    return Timeline(
        spans=sorted(recorder.spans(), key=lambda span: span.start_s),
        step_s=now - started,
        ends_s=[clock.seconds(gpu, end) for gpu, end in enumerate(ends)],
        phase_ends_s=(clock.seconds(last, forward_end), clock.seconds(first, backward_end)),
        clock_error_s=2 * clock.error_s if len(devices.gpus) > 1 else 0.0,
    )


@dataclass
class _Recorder:
    """Collects timestamps while a step runs, and makes spans of them afterwards.

    One GPU works at a time, and where its block ends the next begins: one mark for both. Where
    several tensors are passed on, a GPU has a block of no length between two of them.
    """

    clock: Clock
    since: dict[int, Mark] = field(default_factory=dict)  # by GPU, where its next block begins
    blocks: list[tuple[int, SpanKind, Mark, Mark]] = field(default_factory=list)
    transfers: list[tuple[int, int, Mark, Mark, Mark, int]] = field(default_factory=list)

    def begin(self, gpu: int) -> None:
        """Begin a block on this GPU."""
        self.since[gpu] = self.clock.mark(gpu)

    def end(self, gpu: int, kind: SpanKind) -> Mark:
        """End the block of this GPU, and begin another; return the moment."""
        now = self.clock.mark(gpu)
        self.blocks.append((gpu, kind, self.since[gpu], now))
        self.since[gpu] = now
        return now

    def transfer(self, source: int, target: int, start: Mark, size: int) -> None:
        """Note a copy that has been launched, after which a block of the target begins.

        Args:
            source: the GPU that it comes from.
            target: the GPU that it goes to.
            start: its beginning, on the source.
            size: in bytes.
        """
        sent, received = self.clock.mark(source), self.clock.mark(target)
        self.since[source], self.since[target] = sent, received
        self.transfers.append((source, target, start, sent, received, size))

    def spans(self) -> Iterator[Span]:
        """Yield all spans, in no order."""
        seconds = self.clock.seconds
        for gpu, kind, start, end in self.blocks:
            yield Span(gpu, kind, seconds(gpu, start), seconds(gpu, end))
        for number, (source, target, start, sent, received, size) in enumerate(self.transfers):
            start_s, sent_s = seconds(source, start), seconds(source, sent)
            received_s = seconds(target, received)
            # The receiver's clock tells when the data was there; how long it took, the sender's.
            began_s = received_s - (sent_s - start_s)
            yield Span(source, "transfer_out", start_s, sent_s, target, size, number)
            yield Span(target, "transfer_in", began_s, received_s, source, size, number)


class _InTurn(list[dict[str, Any]]):
    """An optimizer's groups of parameters, one for each GPU, timed as they are gone through."""

    def __init__(self, groups: list[dict[str, Any]], recorder: _Recorder, first: int) -> None:
        super().__init__(groups)
        self.recorder, self.first = recorder, first

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for gpu, group in enumerate(super().__iter__()):
            if gpu != self.first:  # on the first, backward has just ended
                self.recorder.begin(gpu)
            yield group
            self.recorder.end(gpu, "optimizer")


@contextmanager
def _instrumented(step: TrainingStep, recorder: _Recorder) -> Iterator[_InTurn]:
    """Watch the layers that receive the baton; yield the groups that the optimizer goes through."""
    model, optimizer = step.model, step.optimizer
    devices, places = model.devices, model.gpu_of_layer
    (group,) = optimizer.param_groups
    groups = [{**group, "params": parameters} for parameters in step.parameters_per_gpu()]
    passes = boundaries(places)
    place_of = {layer: len(devices) + number for number, layer in enumerate(passes)}
    model.devices = [
        *devices,
        *(_target(devices[places[i]], places[i - 1], places[i], recorder) for i in passes),
    ]
    model.gpu_of_layer = [place_of.get(layer, gpu) for layer, gpu in enumerate(places)]
    try:
        yield _InTurn(groups, recorder, places[0])
    finally:
        model.devices, model.gpu_of_layer = devices, places
        optimizer.param_groups = [group]


class _InstrumentedGPU(BatonTarget):
    """A GPU, to one layer, that notes when the baton comes to it, and when its gradient leaves."""

    recorder: _Recorder
    device_itself: Any
    source: int

    def receive(self, x: torch.Tensor) -> torch.Tensor:
        start = self.recorder.end(self.source, "forward")
        passed = x.to(self.device_itself)
        self.recorder.transfer(self.source, self.gpu, start, passed.nbytes)
        if passed.grad_fn is not None:
            self._watch_gradient(passed.grad_fn, passed.nbytes)
        return passed

    def hold(self, x: torch.Tensor) -> torch.Tensor:
        device = self.device_itself
        return device.hold(x) if isinstance(device, BatonTarget) else x

    def _watch_gradient(self, copy: Any, size: int) -> None:
        """Time the copy's own backward right before and after it, in the thread that runs it."""
        start: Mark = None

        def leaves(gradients: Any) -> None:
            nonlocal start
            start = self.recorder.end(self.gpu, "backward")

        def has_left(copied: Any, gradients: Any) -> None:
            self.recorder.transfer(self.gpu, self.source, start, size)

        copy.register_prehook(leaves)
        copy.register_hook(has_left)


def _target(device_itself: Any, source: int, number: int, recorder: _Recorder) -> _InstrumentedGPU:
    gpu = torch.empty(0).as_subclass(_InstrumentedGPU)
    gpu.gpu, gpu.source = number, source
    gpu.device_itself, gpu.recorder = device_itself, recorder
    return gpu
