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


class EventClock:
    """CUDA events, which each GPU times by itself.

    Clocks of different GPUs cannot be read against one another. Each begins with an event of its
    own, recorded while all are idle, and the host's clock says when that was; so times of different
    GPUs agree to within the some 10 microseconds that an idle GPU takes to reach an event.
    """

    name: Literal["cuda_events"] = "cuda_events"

    def __init__(self, devices: Devices) -> None:
        self.devices = devices
        self.origins: dict[torch.device, tuple[torch.cuda.Event, float]] = {}

    def start(self) -> float:
        """Begin at 0 seconds; return when that is on the host's clock. All devices must be idle."""
        first = perf_counter()
        for device in self.devices.real:
            before = perf_counter()
            event = _record(device)
            self.origins[device] = (event, (before + perf_counter()) / 2 - first)
        return first

    def mark(self, gpu: int) -> Mark:
        """Return the moment when this GPU has done all work launched so far."""
        return _record(self.devices.real_device(gpu))

    def last_mark(self, gpu: int, now: float) -> Mark:
        """Return a moment on this GPU, as soon after the host's `now` as it can be had."""
        return self.mark(gpu)

    def seconds(self, gpu: int, mark: Mark) -> float:
        """Return the seconds from the start to a mark that this GPU has reached."""
        origin, late_by = self.origins[self.devices.real_device(gpu)]
        return late_by + float(origin.elapsed_time(mark)) / 1e3


Clock = HostClock | EventClock


def _record(device: torch.device) -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)
    event.record(torch.cuda.current_stream(device))
    return event


def clock_of(devices: Devices) -> Clock:
    """Return the clock that is true for these devices."""
    return EventClock(devices) if devices.real[0].type == "cuda" else HostClock()
