"""Samples of GPUs while a program runs: memory in use and utilisation, from NVML."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event, Thread

from mp.hardware import nvml
from study.results.environment import GpuState
from study.results.program import GpuSamples

INTERVAL_S = 0.1
STATE_EVERY_S = 1.0  # clocks and the like, which change less often and take longer to ask for


@dataclass
class _OfOneGpu:
    uuid: str
    samples: int = 0
    before_bytes: int | None = None
    peak_bytes: int | None = None
    utilizations: float = 0.0
    known: int = 0
    states: list[GpuState] = field(default_factory=list)  # the first and the last at work

    def take(self, with_state: bool) -> None:
        self.samples += 1
        if (memory := nvml.memory_of(self.uuid)) is not None:
            self.peak_bytes = max(memory[0], self.peak_bytes or 0)
        if (share := nvml.utilization_of(self.uuid)) is not None:
            self.utilizations += share
            self.known += 1
        if with_state and share and (state := nvml.gpu_state(self.uuid)) is not None:
            self.states = [self.states[0] if self.states else state, state]


class Sampler:
    """Samples GPUs in a thread, from `with` to its end.

    Args:
        uuids: NVML's, in the order of the program's GPUs.
    """

    def __init__(self, uuids: Sequence[str]) -> None:
        self._gpus = [_OfOneGpu(uuid) for uuid in uuids]
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Sampler":
        for gpu in self._gpus:
            memory = nvml.memory_of(gpu.uuid)
            gpu.before_bytes = gpu.peak_bytes = None if memory is None else memory[0]
        if self._gpus:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._gpus:
            self._thread.join()

    def _run(self) -> None:
        state_at = 0.0
        while not self._stop.wait(INTERVAL_S):
            now = time.monotonic()
            with_state = now >= state_at
            state_at = now + STATE_EVERY_S if with_state else state_at
            for gpu in self._gpus:
                gpu.take(with_state)

    def samples(self) -> tuple[GpuSamples, ...]:
        """Return what was seen of each GPU; null is what NVML does not know."""
        return tuple(
            GpuSamples(
                index=index,
                samples=gpu.samples,
                used_before_bytes=gpu.before_bytes,
                peak_used_bytes=gpu.peak_bytes,
                utilization=gpu.utilizations / gpu.known if gpu.known else None,
            )
            for index, gpu in enumerate(self._gpus)
        )

    def states(self, index: int) -> tuple[GpuState | None, GpuState | None]:
        """Return the state of a GPU when it was first and last seen at work."""
        states = self._gpus[index].states
        return (states[0], states[-1]) if states else (None, None)
