"""Timing steps: every device synchronised before and after, and nothing else in between."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

from mp.hardware.devices import Devices

Verdict = TypeVar("Verdict")


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
    step: Callable[[], object],
    devices: Devices,
    is_over: Callable[[list[float], float], Verdict | None],
    on_step: Callable[[list[float], float], None],
) -> tuple[list[float], Verdict]:
    """Seconds of each step, until `is_over(times, elapsed_s)` says something; and what it says.

    `on_step`, which is told the same, and `is_over` run between steps, outside of the timed region.
    """
    times: list[float] = []
    start = perf_counter()
    with no_garbage_collection():
        while (verdict := is_over(times, perf_counter() - start)) is None:
            times.append(time_step(step, devices))
            on_step(times, perf_counter() - start)
    return times, verdict
