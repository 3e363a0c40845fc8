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
    x, output = run_once(subject)
    gradient, learns = torch.ones_like(output), output.requires_grad
    timer = _timer(subject.device)
    times: list[tuple[float, float]] = []
    held: dict[str, Any] = {"output": output}
    began = perf_counter()
    while len(times) < MOST_TIMES and not (
        len(times) >= LEAST_TIMES and perf_counter() - began > ENOUGH_S
    ):
        timer.is_late, x.grad = False, None  # as in a step, where no gradient of an input stays
        forward_s = timer.seconds(lambda: held.update(output=subject.run(x)))
        with subject.collecting():
            backward_s = timer.seconds(lambda: held["output"].backward(gradient)) if learns else 0.0
        if not timer.is_late:
            times.append((forward_s, backward_s))
    forwards, backwards = zip(*times, strict=True)
    return median(forwards), median(backwards)


def run_once(subject: Subject) -> tuple[torch.Tensor, torch.Tensor]:
    """Run forward and backward, which chooses kernels; return input and output."""
    x = subject.make_input().requires_grad_(subject.has_input_gradient)
    output = subject.run(x)
    if output.requires_grad:
        output.backward(torch.ones_like(output))
    return x, output


def _timer(device: torch.device) -> "HostTimer | BusyGpuTimer":
    return BusyGpuTimer(device) if device.type == "cuda" else HostTimer(device)


class HostTimer:
    """Times calls on the host's clock, for a device that has finished when a call returns."""

    is_late = False

    def __init__(self, device: torch.device) -> None:
        self.devices = Devices([device], [device])

    def seconds(self, run: Callable[[], object]) -> float:
        """Return the seconds of a call."""
        return time_step(run, self.devices)


class BusyGpuTimer:
    """Times kernels as a busy GPU runs them: one after another, each launched before its turn.

    The GPU spins while the host launches, as it computes something else in a step. Alone and idle,
    it would wait for each launch: a GPT's block of 0.9 ms took 2.4 ms then.

    Args:
        device: a GPU.

    Attributes:
        is_late: set where the spinning ended before the host had launched a call, whose time then
            does not count; later calls spin for longer, up to `MOST_CYCLES`.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.cycles = FIRST_CYCLES
        self.is_late = False

    def seconds(self, run: Callable[[], object]) -> float:
        """Return the seconds from the first kernel of a call to the end of its last."""
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
        self._adapt(began.elapsed_time(first) / 1e3, launched_s)
        seconds: float = first.elapsed_time(last) / 1e3
        return seconds

    def _adapt(self, spun_s: float, launched_s: float) -> None:
        """Spin for longer from now on if the launching of a call took as long as the spinning."""
        if launched_s >= spun_s and self.cycles < MOST_CYCLES:
            self.is_late = True
            longer = max(2.0, 1.5 * launched_s / spun_s)
            self.cycles = min(MOST_CYCLES, int(self.cycles * longer))
