"""The measurement of a step that every rank stands ready for, in lock-step with the others."""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TypeVar

from mp.distributed.instruments import Step, record_timelines
from mp.distributed.world import World
from mp.hardware.memory import Scratch, describe_memory, reset_peaks
from mp.measure import (
    PROBED_SHARE,
    Measured,
    Report,
    Timed,
    announce,
    describe_measurement,
    states_under_load,
)
from mp.timing.clocks import clock_of
from mp.timing.stopping import StoppedBy, StoppingRule, WarmupRule
from mp.timing.timer import no_garbage_collection, time_step
from study.case import Case
from study.results.measurement import GpuMemory
from study.storage.progress import Progress

Verdict = TypeVar("Verdict")


def measure(
    case: Case,
    step: Step,
    world: World,
    layers_per_gpu: list[int],
    first_loss: float,
    scratch: Scratch,
    report: Report,
) -> Measured:
    """Measure the step; every rank gets the same."""
    warmup, how_warmed = time_steps_together(
        step, world, WarmupRule(case), partial(announce, report, case, "warm-up")
    )
    before = states_under_load(step, world.devices, warmup)
    reset_peaks(world.devices)
    rule = StoppingRule(case)
    stopped_by: StoppedBy
    times, stopped_by = time_steps_together(
        step, world, rule, partial(announce, report, case, "timing")
    )
    memory = gather_memory(world, layers_per_gpu, scratch)
    after = states_under_load(step, world.devices, times)

    report(Progress(phase="where the time goes"))
    timelines = record_timelines(step, world, PROBED_SHARE * case.time_limit_s)
    measurement = describe_measurement(
        Timed(warmup, how_warmed == "steady", times, stopped_by, rule),
        timelines,
        clock_of(world.devices).name,
        first_loss,
        memory,
    )
    return Measured(measurement, before, after, timelines)


def time_steps_together(
    step: Callable[[], object],
    world: World,
    is_over: Callable[[list[float], float], Verdict | None],
    on_step: Callable[[list[float], float], None],
) -> tuple[list[float], Verdict]:
    """Seconds of each step, until the first rank's `is_over(times, elapsed_s)` says something.

    All begin a step together, once the last has been told to; a step took as long as its slowest
    rank. What is said in between lies outside of the timed region.
    """
    times: list[float] = []
    start = perf_counter()
    with no_garbage_collection():
        while True:
            over = is_over(times, perf_counter() - start) if world.rank == 0 else None
            if (verdict := world.told_by_first(over, str | None)) is not None:
                return times, verdict
            times += world.largest([time_step(step, world.devices)])
            if world.rank == 0:
                on_step(times, perf_counter() - start)


def gather_memory(world: World, layers_per_gpu: list[int], scratch: Scratch) -> list[GpuMemory]:
    """Memory of every rank's device."""
    (mine,) = describe_memory(
        [layers_per_gpu[world.rank]], world.devices, {world.device: scratch}, first=world.rank
    )
    return world.gather(mine, GpuMemory)
