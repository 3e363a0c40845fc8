"""Seconds of layers on a GPU that computes for a part of the time, and its state meanwhile."""

from collections import deque
from statistics import fmean
from time import perf_counter, sleep
from typing import Any

import torch

from mp.calibration.rounds import Slots
from mp.calibration.setting import Setting
from mp.calibration.stacks import Stack
from mp.calibration.stopwatch import AHEAD, Stopwatch, cycles_per_s
from mp.hardware import nvml
from mp.hardware.memory import release_cache
from study.results.calibration.layers import LoadedTime
from study.results.calibration.timing import timed
from study.results.environment import GpuState

SHARES = (0.25, 0.5, 0.75, 0.9, 1.0)  # of the time, rising, so that the GPU comes to its limit last
PERIOD_S = 0.02  # of computing, then the pause: shorter than a power limit looks back
SLOT_S = {"cuda": (1.0, 3.0), "cpu": (0.0, 0.3)}  # for one share: at least, at most
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


def measure_loaded(setting: Setting, seconds: float) -> list[LoadedTime]:
    """Return forward and backward of the usual layers for each share of the time.

    A share at which the GPU waits for its host is left out: it cannot be that busy, and what was
    timed is launching.

    Args:
        setting: of the calibration.
        seconds: for all shares.
    """
    kind, stack = setting.usual, _stack_ahead(setting)
    if stack is None:
        return []
    slots, found = Slots(seconds, len(SHARES)), list[LoadedTime]()
    shortest_s, longest_s = SLOT_S[setting.device.type]
    for share in SHARES:
        slot_s = max(shortest_s, min(slots.next(), longest_s))
        if setting.deadline.is_over():
            setting.left_out.append(f"No time was left for a GPU that computes for {share:.0%}.")
            continue
        if (time := _loaded(stack, kind, share, slot_s)) is not None:
            found.append(time)
    del stack
    release_cache()
    return found


def _loaded(stack: Stack, kind: int, share: float, seconds: float) -> LoadedTime | None:
    """Return the times of a stack at a share of the time; None where the GPU waits for its host.

    Args:
        stack: of the layers.
        kind: the index of theirs.
        share: of the time in which the GPU computes.
        seconds: for all passes.
    """
    load = Load(stack, share)
    samples, busy_share, state = load.measure(seconds)
    if load.waits_for_host:
        return None
    reasons = state.throttle_reasons
    return timed(
        LoadedTime,
        samples,
        busy_share=busy_share,
        kind=kind,
        layers=stack.count,
        rows=stack.rows,
        sm_clock_hz=state.sm_clock_hz,
        power_w=state.power_w,
        temperature_celsius=state.temperature_celsius,
        throttle_reasons=None if reasons is None else tuple(reasons),
    )


def _stack_ahead(setting: Setting) -> Stack | None:
    """Return usual layers with so many rows that the host launches them before they are computed.

    Of all rows those in the middle, or more where a host is slower; the most if it always is. None
    where there is nothing to measure.
    """
    wanted = setting.wanted
    *fewer, most = wanted.rows[len(wanted.rows) // 2 :]
    for rows in fewer:
        stack = setting.stack(setting.usual, rows, wanted.gradients[0])
        if stack is None or not stack.learns:
            return None
        if Load(stack, 1.0).is_ahead:
            return stack
        del stack  # before there is a larger one
        release_cache()
    last = setting.stack(setting.usual, most, wanted.gradients[0])
    return last if last is not None and last.learns else None


class Load:
    """Computes for a while, then lets the GPU spin on one thread, as a waiting receive does.

    Args:
        stack: what is computed.
        share: of the time in which it is, 1 without a pause.

    Attributes:
        is_ahead: whether the host launches a pass in less time than the GPU computes it.
    """

    def __init__(self, stack: Stack, share: float) -> None:
        self.stack, self.share, self.watch = stack, share, Stopwatch(stack.x.device)
        self.on_gpu = self.watch.on_gpu
        self.cycles_per_s = cycles_per_s(self.watch.device) if self.on_gpu else 0.0
        for _ in range(2):
            self._pass()
        passes_s = self.watch.seconds()["pass"][-1]
        self.is_ahead = not self.on_gpu or self.watch.host["pass"][-1] < MOST_LAUNCHING * passes_s
        self._forget()
        self.count = max(1, round(PERIOD_S / passes_s)) if self.on_gpu else 1
        self.pause_s = self.count * passes_s * (1 / share - 1)

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
            if len(ended) > AHEAD and self.on_gpu:
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
        def both() -> None:
            for _, action in self.stack.later_pass():
                action()

        self.watch.run([("pass", both)])

    def _pause(self) -> None:
        if self.pause_s <= 0:
            return
        cycles = int(self.pause_s * self.cycles_per_s)
        pause = (lambda: torch.cuda._sleep(cycles)) if self.on_gpu else lambda: sleep(self.pause_s)
        self.watch.run([(None, pause)])
