"""Timing steps: every device synchronised before and after, and nothing else in between."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from mp.devices import Devices
from mp.step import TrainingStep

MIN_TIMED_STEPS = 3
PHASE_STEPS = 3


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep Python's collector from stopping a step half-way, as the timeit module does."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def time_step(step: Callable[[], object], devices: Devices) -> float:
    """Seconds of one step, on the host's clock, from all devices idle to all devices idle."""
    devices.synchronize()
    start = perf_counter()
    step()
    devices.synchronize()
    return perf_counter() - start


def time_steps(
    step: TrainingStep,
    devices: Devices,
    steps: int,
    time_limit_s: float,
    on_step: Callable[[int, float], None],
) -> list[float]:
    """Seconds of each step, until there are `steps` or the time limit has passed.

    The limit leaves at least MIN_TIMED_STEPS (or `steps`, if fewer). `on_step(done, seconds)`
    runs between steps, outside of the timed region.
    """
    times: list[float] = []
    start = perf_counter()
    with no_garbage_collection():
        while len(times) < steps:
            if len(times) >= MIN_TIMED_STEPS and perf_counter() - start >= time_limit_s:
                break
            times.append(time_step(step, devices))
            on_step(len(times), times[-1])
    return times


def time_phases(step: TrainingStep, devices: Devices) -> dict[str, list[float]]:
    """Seconds of forward (with zero_grad and loss), backward and optimizer, a list entry a step.

    Devices are synchronised between the phases, which a timed step does not do; the three add up
    to a little more than a step where launching kernels takes longer than running them.
    """
    times: dict[str, list[float]] = {"forward": [], "backward": [], "optimizer": []}
    with no_garbage_collection():
        for _ in range(PHASE_STEPS):
            times["forward"].append(time_step(step.forward, devices))
            times["backward"].append(time_step(step.backward, devices))
            times["optimizer"].append(time_step(step.optimizer.step, devices))
    return times
