"""Clocks for timestamps on a GPU: CUDA events, or the host's clock."""

from time import perf_counter
from typing import Any, Literal

import torch

from mp.hardware.devices import Devices
from mp.timing.alignment import PROBES, Alignment, align, probe

Mark = Any  # a timestamp: seconds of the host's clock, or a CUDA event


class HostClock:
    """The host's clock, for devices that have finished when a call returns: CPUs."""

    name: Literal["host"] = "host"
    error_s = 0.0  # one clock for all GPUs

    def align(self) -> None:
        """Do nothing: this is the host's clock."""

    def start(self) -> float:
        """Begin at 0 seconds; return when that is on the host's clock."""
        self.started = perf_counter()
        return self.started

    def mark(self, gpu: int) -> Mark:
        """Return this moment."""
        return perf_counter()

    def last_mark(self, gpu: int, now: float) -> Mark:
        """Return the moment that the host read as `now`: a second reading would be a later one."""
        return now

    def seconds(self, gpu: int, mark: Mark) -> float:
        """Return the seconds from the start to a mark of this GPU."""
        return float(mark - self.started)


class _DeviceEvents:
    """The events of one device, made once and recorded again in every step."""

    def __init__(self, device: torch.device) -> None:
        self.stream = torch.cuda.current_stream(device)
        self.probes = [torch.cuda.Event(enable_timing=True) for _ in range(PROBES)]
        self.aligned = Alignment(0.0, 0.0)
        self.events: list[torch.cuda.Event] = []
        self.used = 0

    def align(self) -> None:
        """Find out when the origin, the first of the probes, was on the host's clock."""
        self.aligned = align(probe(self.probes, self.stream))

    def record(self) -> torch.cuda.Event:
        """Record the next event."""
        if self.used == len(self.events):
            self.events.append(torch.cuda.Event(enable_timing=True))
        event = self.events[self.used]
        self.used += 1
        event.record(self.stream)
        return event


class EventClock:
    """CUDA events, which each GPU times by itself.

    Clocks of different GPUs cannot be read against one another. Each has an event of its own,
    recorded while all are idle, and the host's clock says between which two moments the GPU reached
    it (mp/timing/alignment.py).

    A mark costs the host one call, since the events of the steps before are used again: read the
    marks of a step before the next `start`.
    """

    name: Literal["cuda_events"] = "cuda_events"

    def __init__(self, devices: Devices) -> None:
        events = {device: _DeviceEvents(device) for device in devices.real}
        self.by_device = list(events.values())
        self.by_gpu = [events[devices.real_device(gpu)] for gpu in range(len(devices.gpus))]
        self.started = 0.0

    def align(self) -> None:
        """Set the clocks of all GPUs, which must be idle, to the host's: some 0.2 ms for each.

        What happens before the step costs it nothing.
        """
        for events in self.by_device:
            events.align()

    @property
    def error_s(self) -> float:
        """The largest error of one GPU's clock against the host's, in seconds."""
        return max(events.aligned.error_s for events in self.by_device)

    def start(self) -> float:
        """Begin at 0 seconds; return when that is on the host's clock. All events are free again.

        The clock must have been aligned shortly before.
        """
        for events in self.by_device:
            events.used = 0
        self.started = perf_counter()
        return self.started

    def mark(self, gpu: int) -> Mark:
        """Return the moment when this GPU has done all work launched so far."""
        return self.by_gpu[gpu].record()

    def last_mark(self, gpu: int, now: float) -> Mark:
        """Return a moment on this GPU, as soon after the host's `now` as it can be had."""
        return self.mark(gpu)

    def seconds(self, gpu: int, mark: Mark) -> float:
        """Return the seconds from the start to a mark that this GPU has reached."""
        events = self.by_gpu[gpu]
        since_origin = float(events.probes[0].elapsed_time(mark)) / 1e3
        return events.aligned.origin_host_s - self.started + since_origin


Clock = HostClock | EventClock


def clock_of(devices: Devices) -> Clock:
    """Return the clock that is true for these devices."""
    return EventClock(devices) if devices.real[0].type == "cuda" else HostClock()
