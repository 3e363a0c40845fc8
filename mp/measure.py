"""The measurement of a step that stands ready: warm-up, timed steps, memory, then instruments."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Literal

import torch

from mp.hardware.devices import Devices
from mp.hardware.environment import States, read_states
from mp.hardware.memory import Scratch, describe_memory, peaks, reset_peaks
from mp.single.cuda_graph import GraphedStep
from mp.single.instruments import record_timelines
from mp.single.step import TrainingStep
from mp.timing.clocks import clock_of
from mp.timing.stopping import StoppedBy, StoppingRule, WarmupRule, is_steady
from mp.timing.timeline import Timeline, break_down
from mp.timing.timer import time_steps
from study.case import Case
from study.results.measurement import GpuMemory, Measurement
from study.statistics.bootstrap import interval
from study.storage.progress import Progress

Report = Callable[[Progress], None]
Run = TrainingStep | GraphedStep

LOAD_S = 0.1
MAX_LOAD_STEPS = 100
PROBED_SHARE = 0.25  # of the time limit, at most, for steps with instruments


@dataclass(frozen=True)
class Measured:
    """A measurement, the GPUs' states around its timed steps, and its timelines, if it has some."""

    measurement: Measurement
    before: States
    after: States
    timelines: list[Timeline]


def measure(
    case: Case,
    run: Run,
    devices: Devices,
    layers_per_gpu: list[int],
    first_loss: float,
    scratch: dict[torch.device, Scratch],
    report: Report,
) -> Measured:
    """Measure the step. Every kind of figure comes from steps of its own."""
    warmup, how_warmed = time_steps(
        run, devices, WarmupRule(case), partial(announce, report, case, "warm-up")
    )
    before = states_under_load(run, devices, warmup)
    reset_peaks(devices)
    rule = StoppingRule(case)
    stopped_by: StoppedBy
    times, stopped_by = time_steps(run, devices, rule, partial(announce, report, case, "timing"))
    memory = describe_memory(layers_per_gpu, devices, scratch)
    shared = peaks(devices.real[0]) if devices.emulated else (None, None)
    after = states_under_load(run, devices, times)

    timelines = []
    if isinstance(run, TrainingStep):  # the kernels of a graph are launched without us
        report(Progress(phase="where the time goes"))
        timelines = record_timelines(run, devices, PROBED_SHARE * case.time_limit_s)
    measurement = describe_measurement(
        Timed(warmup, how_warmed == "steady", times, stopped_by, rule),
        timelines,
        clock_of(devices).name,
        first_loss,
        memory,
        shared,
    )
    return Measured(measurement, before, after, timelines)


@dataclass(frozen=True)
class Timed:
    """Steps of warm-up and timed steps, in seconds, and what ended them."""

    warmup: list[float]
    is_steady: bool
    times: list[float]
    stopped_by: StoppedBy
    rule: StoppingRule


def describe_measurement(
    timed: Timed,
    timelines: list[Timeline],
    clock: Literal["cuda_events", "host"],
    first_loss: float,
    memory: list[GpuMemory],
    shared: tuple[int | None, int | None] = (None, None),
) -> Measurement:
    """All that was measured, for the result."""
    phases = list(zip(*(t.phases_s() for t in timelines if t.phase_ends_s), strict=True))
    forward, backward, optimizer = map(list, phases or ((), (), ()))
    warmup, times = timed.warmup, timed.times
    found = interval([times])
    return Measurement(
        step_times_s=times,
        stopped_by=timed.stopped_by,
        converged=timed.rule.is_narrow(times, found),
        median_ci_s=None if found is None else (found.low, found.high),
        warmup_steps=len(warmup),
        warmup_steady=True if timed.is_steady else is_steady(warmup),
        forward_s=forward,
        backward_s=backward,
        optimizer_s=optimizer,
        breakdown=break_down(timelines, clock) if timelines else None,
        first_loss=first_loss,
        per_gpu=memory,
        shared_peak_allocated_bytes=shared[0],
        shared_peak_reserved_bytes=shared[1],
    )


def states_under_load(run: Callable[[], None], devices: Devices, times: list[float]) -> States:
    """What NVML tells of the GPUs while steps are queued on them: an idle GPU lowers its clocks."""
    if devices.real[0].type != "cuda":
        return {}
    steps = min(MAX_LOAD_STEPS, round(LOAD_S / median(times)) if times else 1)
    for _ in range(max(1, steps)):
        run()
    states = read_states(devices)
    devices.synchronize()
    return states


def announce(report: Report, case: Case, phase: str, times: list[float], elapsed_s: float) -> None:
    """A report after every step, with the time that its limits leave at most."""
    timing = phase == "timing"
    steps = case.steps if timing else case.warmup_steps
    limit_s = case.time_limit_s if timing else case.time_limit_s / 2
    by_steps = (steps - len(times)) * elapsed_s / len(times)
    left_s = max(0.0, min(by_steps, limit_s - elapsed_s))
    report(Progress(phase=phase, step=len(times), steps=steps, remaining_s=left_s))
