"""Clocks for timestamps on a GPU: CUDA events, or the host's clock."""

from time import perf_counter
from typing import Any, Literal

import torch

from mp.hardware.devices import Devices

Mark = Any  # a timestamp: seconds of the host's clock, or a CUDA event


class HostClock:
    """The host's clock, for devices that have finished when a call returns: CPUs."""

    name: Literal["host"] = "host"

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
        self.origin = torch.cuda.Event(enable_timing=True)
        self.origin_host_s = 0.0
        self.events: list[torch.cuda.Event] = []
        self.used = 0

    def start(self) -> None:
        """Record the origin, and when that was on the host's clock; all events are free again."""
        before = perf_counter()
        self.origin.record(self.stream)
        self.origin_host_s = (before + perf_counter()) / 2
        self.used = 0

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

    Clocks of different GPUs cannot be read against one another. Each begins with an event of its
    own, recorded while all are idle, and the host's clock says when that was; so times of different
    GPUs agree to within the some 10 microseconds that an idle GPU takes to reach an event.

    A mark costs the host one call, since the events of the steps before are used again: read the
    marks of a step before the next `start`.
    """

    name: Literal["cuda_events"] = "cuda_events"

    def __init__(self, devices: Devices) -> None:
        events = {device: _DeviceEvents(device) for device in devices.real}
        self.by_device = list(events.values())
        self.by_gpu = [events[devices.real_device(gpu)] for gpu in range(len(devices.gpus))]
        self.started = 0.0

    def start(self) -> float:
        """Begin at 0 seconds; return when that is on the host's clock. All devices must be idle.

        The origins are recorded before, so that they cost the step nothing.
        """
        for events in self.by_device:
            events.start()
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
        since_origin = float(events.origin.elapsed_time(mark)) / 1e3
        return events.origin_host_s - self.started + since_origin


Clock = HostClock | EventClock


def clock_of(devices: Devices) -> Clock:
    """Return the clock that is true for these devices."""
    return EventClock(devices) if devices.real[0].type == "cuda" else HostClock()
