"""The seconds that a layer takes alone: on a GPU the GPU's, without waiting for launches."""

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import torch

from mp.hardware.devices import Devices
from mp.profiling.subject import Subject
from mp.timing.timer import time_step

LEAST_TIMES, MOST_TIMES = 3, 7
ENOUGH_S = 1.0  # of timing one layer
FIRST_CYCLES = 2_000_000  # about a millisecond
MOST_CYCLES = 100_000_000  # a layer that waits for its GPU is never launched ahead of it


def time_layer(subject: Subject) -> tuple[float, float]:
    """Return the median seconds of forward and of backward; of backward 0 where there is none."""
    x = subject.make_input().requires_grad_(subject.has_input_gradient)
    output = subject.run(x)  # the first call chooses kernels
    time_of = _timer(subject.device)
    if not output.requires_grad:
        return median(time_of(lambda: subject.run(x)) for _ in range(MOST_TIMES)), 0.0
    gradient = torch.ones_like(output)
    output.backward(gradient)
    times: list[tuple[float, float]] = []
    held: dict[str, Any] = {}
    began = perf_counter()
    while len(times) < MOST_TIMES and not (
        len(times) >= LEAST_TIMES and perf_counter() - began > ENOUGH_S
    ):
        forward_s = time_of(lambda: held.update(output=subject.run(x)))
        times.append((forward_s, time_of(lambda: held["output"].backward(gradient))))
    forwards, backwards = zip(*times, strict=True)
    return median(forwards), median(backwards)


def _timer(device: torch.device) -> Callable[[Callable[[], object]], float]:
    if device.type == "cuda":
        return BusyGpuTimer(device).seconds
    devices = Devices([device], [device])
    return lambda run: time_step(run, devices)


class BusyGpuTimer:
    """Times kernels as a busy GPU runs them: one after another, each launched before its turn.

    The GPU spins while the host launches, as it computes something else in a step. Alone and idle,
    it would wait for each launch: a GPT's block of 0.9 ms took 2.4 ms then.

    Args:
        device: a GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.cycles = FIRST_CYCLES

    def seconds(self, run: Callable[[], object]) -> float:
        """Return the seconds from the first kernel of a call to the end of its last."""
        while True:
            spun_s, launched_s, seconds = self._time(run)
            if launched_s < spun_s or self.cycles >= MOST_CYCLES:
                return seconds
            self.cycles = min(MOST_CYCLES, int(self.cycles * max(2.0, 1.5 * launched_s / spun_s)))

    def _time(self, run: Callable[[], object]) -> tuple[float, float, float]:
        """Return the seconds of spinning, of launching on the host's clock, and of the kernels."""
        with torch.cuda.device(self.device):
            torch.cuda.synchronize()
            began, first, last = (torch.cuda.Event(enable_timing=True) for _ in range(3))
            began.record()
            torch.cuda._sleep(self.cycles)
            first.record()
            host = perf_counter()
            run()
            last.record()
            launched_s = perf_counter() - host
            last.synchronize()
        return began.elapsed_time(first) / 1e3, launched_s, first.elapsed_time(last) / 1e3
