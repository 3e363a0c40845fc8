"""Contestants of benchmarks/pipelines.py as a rank has them: timed, instrumented, released."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

import torch

from mp.distributed.engine import DistributedEngine
from mp.distributed.graph.step import GraphedStep, RankStep
from mp.distributed.world import World
from mp.hardware.devices import Devices
from mp.measure import record_timelines
from mp.timing.timeline import break_down
from mp.timing.timer import time_step
from study.errors import CaseError, ConfigError

LONGEST = 300  # characters of a reason


@dataclass
class Contestant:
    """The part of this rank in a step of one entry.

    Attributes:
        run: trains its part of a step; nothing where other ranks work.
        devices: that are waited for before and after.
        engine: of ours, for instrumented steps.
        step: of ours, as the engine built it.
        reason: why a step failed, in one line.
        stream: on which it was built; None on a CPU.
    """

    run: Callable[[], None]
    devices: Devices
    engine: DistributedEngine | None = None
    step: RankStep | None = None
    reason: str | None = None
    stream: Any = field(default_factory=lambda: _current_stream())

    def time(self) -> float:
        """Return the seconds of a step; infinity if it failed."""
        if self.stream is not None:
            torch.cuda.set_stream(self.stream)
        try:
            return time_step(self.run, self.devices)
        except Exception as error:
            self.reason = reason_of(error)
            return inf

    def release(self) -> None:
        """Let go of a graph; all ranks do together."""
        if isinstance(self.run, GraphedStep):
            self.run.release()


def first_reason(mine: str | None, world: World) -> str | None:
    """Return the reason of the first rank that has one; all ranks ask together."""
    return next((its for its in world.all_gather(mine, str | None) if its is not None), None)


def reason_of(error: BaseException) -> str:
    """Return what was wrong in one line."""
    words = " ".join(str(error).split())
    is_told = isinstance(error, CaseError | ConfigError)
    return (words if is_told else f"{type(error).__name__}: {words}")[:LONGEST]


def waiting_of(contestant: Contestant, seconds: float) -> str:
    """Return the share of a step in which GPUs wait, by instrumented steps: mean, least and most.

    Empty for what has no such steps.
    """
    if contestant.engine is None or contestant.step is None:
        return ""
    found = break_down(record_timelines(contestant.engine, contestant.step, seconds), "host")
    waits = [
        100 * (sum(gpu.idle_s) + sum(gpu.transfer_in_s)) / sum(found.step_times_s)
        for gpu in found.per_gpu
    ]
    mean = sum(waits) / len(waits)
    return f"{mean:.1f} %, {min(waits):.1f} to {max(waits):.1f} %"


def _current_stream() -> Any:
    return torch.cuda.current_stream() if torch.cuda.is_initialized() else None
