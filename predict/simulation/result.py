"""A simulated step: its length, and each GPU's use of it."""

from dataclasses import dataclass

from study.results.measurement import TimeSpan


@dataclass(frozen=True)
class GpuUse:
    """One GPU in a step.

    Attributes:
        busy_s: seconds in which it computes, scales gradients and runs the optimizer.
        host_s: seconds until its process has asked for everything.
        work_s: what is in `busy_s`, had no message slowed it and nothing waited for launches.
    """

    busy_s: float
    host_s: float = 0.0
    work_s: float = 0.0


@dataclass(frozen=True)
class Simulated:
    """A simulated step.

    Attributes:
        step_s: from its start to where all GPUs are idle.
        gpus: each of them.
        spans: actions, messages as `transfer_in` of who gets them, and the ends of the step; empty
            if nobody asked.
    """

    step_s: float
    gpus: tuple[GpuUse, ...]
    spans: tuple[TimeSpan, ...] = ()

    @property
    def bubbles(self) -> tuple[float, ...]:
        """The share of the step, 0 to 1, in which each GPU computes nothing."""
        return tuple(1 - gpu.busy_s / self.step_s for gpu in self.gpus)

    @property
    def loads(self) -> tuple[float, ...]:
        """The share of the step, 0 to 1, that each GPU's work takes with nothing beside it."""
        return tuple(min(1.0, gpu.work_s / self.step_s) for gpu in self.gpus)

    @property
    def host_share(self) -> float:
        """The slowest process's own seconds beside those of the step; near 1 is launch-bound."""
        return max(gpu.host_s for gpu in self.gpus) / self.step_s
