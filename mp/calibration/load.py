"""A GPU that computes for a part of the time: passes of layers, then a pause, and again."""

from collections import deque
from statistics import fmean
from time import perf_counter, sleep
from typing import Any

import torch

from mp.calibration.stacks import Stack
from mp.calibration.stopwatch import AHEAD, Stopwatch, cycles_per_s
from mp.hardware import nvml
from study.results.environment import GpuState

AHEAD_S = 0.3  # of rounds that are launched ahead: what it takes to end is not measured
MOST_LAUNCHING = 0.9  # of the seconds of a pass; a GPU that waits for launches takes as long
SETTLED = 0.5  # of the time, after which times count
UNKNOWN = GpuState(
    sm_clock_hz=None,
    memory_clock_hz=None,
    throttle_reasons=None,
    temperature_celsius=None,
    power_w=None,
    utilization=None,
)


class Load:
    """Computes for a while, then lets the GPU spin on one thread, as a waiting receive does.

    Args:
        stack: what is computed.
        share: of the time in which it is, 1 without a pause.
        burst_s: seconds between two pauses, about; one pass at least.

    Attributes:
        is_ahead: whether the host launches a pass in less time than the GPU computes it.
        count: passes between two pauses.
        ahead: rounds of passes and a pause that the host launches before the GPU has ended one.
    """

    def __init__(self, stack: Stack, share: float, burst_s: float) -> None:
        self.stack, self.share, self.watch = stack, share, Stopwatch(stack.x.device)
        self.on_gpu = self.watch.on_gpu
        self.cycles_per_s = cycles_per_s(self.watch.device) if self.on_gpu else 0.0
        for _ in range(2):
            self._pass()
        passes_s = self.watch.seconds()["pass"][-1]
        self.is_ahead = not self.on_gpu or self.watch.host["pass"][-1] < MOST_LAUNCHING * passes_s
        self._forget()
        self.count = max(1, round(burst_s / passes_s)) if self.on_gpu else 1
        self.pause_s = self.count * passes_s * (1 / share - 1)
        self.ahead = max(1, min(AHEAD, round(AHEAD_S * share / (self.count * passes_s))))

    def measure(self, seconds: float) -> tuple[list[float], float, GpuState]:
        """Return the seconds of each pass, the share of the time, and the state of the GPU."""
        began, state, is_read = perf_counter(), UNKNOWN, False
        ended = deque[Any]()
        while len(self.watch.marks) < 2 * self.count or perf_counter() - began < seconds:
            is_settled = perf_counter() - began >= SETTLED * seconds
            if not is_settled:
                self._forget()
            for _ in range(self.count):
                self._pass()
            self._pause()
            ended.append(self.watch.marks[-1][2])
            if len(ended) > self.ahead and self.on_gpu:
                ended.popleft().synchronize()
            if is_settled and not is_read and self.on_gpu:
                state = nvml.gpu_state(self.watch.device) or UNKNOWN
                is_read = True
        if self.on_gpu:
            torch.cuda.synchronize(self.watch.device)
        self.stack.drop_gradients()
        return self._found(), self._busy_share(), state

    @property
    def waits_for_host(self) -> bool:
        """True if what was timed has waiting for launches in it."""
        return self.watch.waits_for_host

    def _forget(self) -> None:
        self.watch.marks.clear()
        self.watch.waited_for = 0

    def _found(self) -> list[float]:
        """Return means of the passes between two pauses."""
        passes = self.watch.seconds()["pass"]
        groups = range(0, len(passes), self.count)
        return [fmean(passes[first : first + self.count]) for first in groups]

    def _busy_share(self) -> float:
        busy = sum(self.watch.seconds()["pass"])
        whole = self.watch.between(self.watch.marks[0][1], self.watch.marks[-1][2])
        return min(1.0, busy / whole)

    def _pass(self) -> None:
        self.watch.run([("pass", self.stack.run_later_pass)])

    def _pause(self) -> None:
        if self.pause_s <= 0:
            return
        cycles = int(self.pause_s * self.cycles_per_s)
        pause = (lambda: torch.cuda._sleep(cycles)) if self.on_gpu else lambda: sleep(self.pause_s)
        self.watch.run([(None, pause)])
