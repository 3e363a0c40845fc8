"""Timing of a step: every device synchronised before and after, and nothing else in between."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from mp.hardware.devices import Devices


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
    """Return the seconds of a step on the host's clock, from all devices idle to all idle."""
    devices.synchronize()
    start = perf_counter()
    step()
    devices.synchronize()
    return perf_counter() - start
