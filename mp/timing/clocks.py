"""Whose clock tells when something began and ended on a GPU."""

from time import perf_counter
from typing import Any, Literal

import torch

from mp.hardware.devices import Devices


class HostClock:
    """For devices that have finished when the call that used them returns: CPUs."""

    name: Literal["host"] = "host"

    def start(self):
        """Begin at 0 seconds; when that is on the host's clock."""
        self.started = perf_counter()
        return self.started

    def mark(self, gpu):
        """A moment on this GPU."""
        return perf_counter()

    def last_mark(self, gpu, now):
        """The moment that the host read as `now`: a second reading would be a later one."""
        return now

    def seconds(self, gpu, mark):
        """Seconds from the start to a mark of this GPU."""
        return mark - self.started


class EventClock:
    """CUDA events, told by each GPU itself.

    Clocks of different GPUs cannot be read against one another. Each begins with an event of its
    own, recorded while all are idle, and the host's clock says when that was; so times of different
    GPUs agree to within the some 10 microseconds that an idle GPU takes to reach an event.
    """

    name: Literal["cuda_events"] = "cuda_events"

    def __init__(self, devices: Devices) -> None:
        self.devices = devices
        self.origins: dict[torch.device, tuple[Any, float]] = {}

    def start(self):
        """Begin at 0 seconds; when that is on the host's clock. All devices must be idle."""
        first = perf_counter()
        for device in self.devices.real:
            before = perf_counter()
            event = _record(device)
            self.origins[device] = (event, (before + perf_counter()) / 2 - first)
        return first

    def mark(self, gpu):
        """A moment on this GPU: when it has done what was asked of it so far."""
        return _record(self.devices.real_device(gpu))

    def last_mark(self, gpu, now):
        """A moment on this GPU, as soon after the host's `now` as it can be had."""
        return self.mark(gpu)

    def seconds(self, gpu, mark):
        """Seconds from the start to a mark of this GPU, which must have been reached."""
        origin, late_by = self.origins[self.devices.real_device(gpu)]
        return late_by + origin.elapsed_time(mark) / 1e3


def _record(device):
    event = torch.cuda.Event(enable_timing=True)
    event.record(torch.cuda.current_stream(device))
    return event


def clock_of(devices: Devices) -> HostClock | EventClock:
    """The clock that is true for these devices."""
    return EventClock(devices) if devices.real[0].type == "cuda" else HostClock()
