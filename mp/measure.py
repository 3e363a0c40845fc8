"""The measurement of a step: warm-up, timed steps, memory, then instrumented steps.

All ranks measure together; of one process there is one rank.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from time import perf_counter
from typing import TypeVar

import torch

from mp.engine import Communicator, Engine, ProgressCallback, S
from mp.hardware.devices import Devices
from mp.hardware.environment import States, read_states
from mp.hardware.memory import Workspace, describe_memory, peaks
from mp.timing.clocks import clock_of
from mp.timing.stopping import StoppedBy, StoppingRule, WarmupRule, is_steady
from mp.timing.timeline import Timeline, break_down
from mp.timing.timer import no_garbage_collection, time_step
from study.case import Case
from study.results.measurement import GpuMemory, Measurement
from study.statistics.bootstrap import interval
from study.storage.progress import Progress

StopReason = TypeVar("StopReason", bound=str)

LOAD_S = 0.1
MAX_LOAD_STEPS = 100
INSTRUMENTED_SHARE = 0.25  # of the time limit, at most, for instrumented steps
MIN_INSTRUMENTED, MAX_INSTRUMENTED = 3, 20


@dataclass(frozen=True)
class MeasuredSteps:
    """A measurement, the GPUs' states around its timed steps, and its timelines, if it has some."""

    measurement: Measurement
    before: States
    after: States
    timelines: list[Timeline]


def measure(
    engine: Engine[S],
    step: S,
    layers_per_gpu: list[int],
    workspaces: dict[torch.device, Workspace],
    report: ProgressCallback,
) -> MeasuredSteps:
    """Return the measurement of a step that has run once: each kind of figure by separate steps.

    Args:
        engine: of the case.
        step: what the engine built.
        layers_per_gpu: for the memory of each GPU.
        workspaces: of each real device of this process.
        report: told of every step.
    """
    case, world, devices = engine.case, engine.world, engine.world.devices
    losses = world.all_gather(step.loss, float | None)
    run = engine.prepare(step)
    warmup, how_warmed = time_steps(
        run, world, WarmupRule(case), partial(_announce, report, case, "warm-up")
    )
    before = _states_under_load(run, devices, warmup)
    engine.reset_peaks()
    rule = StoppingRule(case)
    stopped_by: StoppedBy
    times, stopped_by = time_steps(run, world, rule, partial(_announce, report, case, "timing"))
    mine = layers_per_gpu[world.rank :][: len(devices.gpus)]
    memory = describe_memory(mine, devices, workspaces, first=world.rank)
    per_gpu = [gpu for its in world.all_gather(memory, list[GpuMemory]) for gpu in its]
    shared = peaks(devices.real[0]) if devices.emulated else (None, None)
    after = _states_under_load(run, devices, times)

    timelines = []
    if engine.has_instrumented_steps:
        engine.release(run)
        report(Progress(phase="where the time goes"))
        timelines = record_timelines(engine, step, INSTRUMENTED_SHARE * case.time_limit_s)
    phases = list(zip(*(t.phases_s() for t in timelines if t.phase_ends_s), strict=True))
    forward, backward, optimizer = map(list, phases or ((), (), ()))
    found = interval([times])
    measurement = Measurement(
        step_times_s=times,
        stopped_by=stopped_by,
        converged=rule.is_narrow(times, found),
        median_ci_s=None if found is None else (found.low, found.high),
        warmup_steps=len(warmup),
        warmup_steady=True if how_warmed == "steady" else is_steady(warmup),
        forward_s=forward,
        backward_s=backward,
        optimizer_s=optimizer,
        breakdown=break_down(timelines, clock_of(devices).name) if timelines else None,
        first_loss=next(loss for loss in losses if loss is not None),
        per_gpu=per_gpu,
        shared_peak_allocated_bytes=shared[0],
        shared_peak_reserved_bytes=shared[1],
        draw_version=engine.workload.draw_version,
    )
    return MeasuredSteps(measurement, before, after, timelines)


def time_steps(
    step: Callable[[], object],
    world: Communicator,
    is_over: Callable[[list[float], float], StopReason | None],
    on_step: Callable[[list[float], float], None],
) -> tuple[list[float], StopReason]:
    """Time steps until rank 0 has a reason to stop; return seconds of each, and the reason.

    All ranks begin a step together; it took as long as its slowest rank. Whatever is between steps
    lies outside of the timed region.

    Args:
        step: what is timed.
        world: the ranks.
        is_over: gets all times and the seconds elapsed, and returns the reason, or None to go on.
        on_step: told the same after every step.
    """
    times: list[float] = []
    start = perf_counter()
    with no_garbage_collection():
        while True:
            over = is_over(times, perf_counter() - start) if world.rank == 0 else None
            if (reason := world.broadcast(over, str | None)) is not None:
                return times, reason
            times.append(world.all_reduce_max(time_step(step, world.devices)))
            if world.rank == 0:
                on_step(times, perf_counter() - start)


def record_timelines(engine: Engine[S], step: S, time_limit_s: float) -> list[Timeline]:
    """Return the timelines of instrumented steps: 20, or as many as the time allows, 3 at least.

    A plain step is timed before each, so that what the instruments cost is known of the same
    seconds.

    Args:
        engine: of the case.
        step: what the engine built.
        time_limit_s: seconds after which rank 0 begins no further step.
    """
    world = engine.world
    engine.record_timeline(step)  # the first makes what the others find made
    timelines: list[Timeline] = []
    started = perf_counter()
    with no_garbage_collection():
        while len(timelines) < MAX_INSTRUMENTED:
            is_late = perf_counter() - started >= time_limit_s
            is_over = len(timelines) >= MIN_INSTRUMENTED and is_late
            if world.broadcast(is_over, bool):
                break
            plain_s = world.all_reduce_max(time_step(step, world.devices))
            timelines.append(replace(engine.record_timeline(step), plain_step_s=plain_s))
    return timelines


def _states_under_load(run: Callable[[], None], devices: Devices, times: list[float]) -> States:
    """Read the GPUs' states while steps are queued on them: an idle GPU lowers its clocks."""
    if devices.real[0].type != "cuda":
        return {}
    steps = min(MAX_LOAD_STEPS, round(LOAD_S / median(times)) if times else 1)
    for _ in range(max(1, steps)):
        run()
    states = read_states(devices)
    devices.synchronize()
    return states


def _announce(
    report: ProgressCallback, case: Case, phase: str, times: list[float], elapsed_s: float
) -> None:
    """Report a step, with the seconds that the limits of its phase leave at most."""
    timing = phase == "timing"
    steps = case.steps if timing else case.warmup_steps
    limit_s = case.time_limit_s if timing else case.time_limit_s / 2
    by_steps = (steps - len(times)) * elapsed_s / len(times)
    left_s = max(0.0, min(by_steps, limit_s - elapsed_s))
    report(Progress(phase=phase, step=len(times), steps=steps, remaining_s=left_s))
