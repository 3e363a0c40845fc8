"""All that the parts of a calibration share: its case, its ranks, what it asks for, its time."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch
from msgspec.structs import replace

from mp.calibration.inputs import make_inputs, part_of
from mp.calibration.rounds import Deadline
from mp.calibration.stacks import LAYERS, Alike, Stack, find_kinds, input_like
from mp.engine import Communicator, Engine
from mp.families.registry import workload_of
from mp.hardware.memory import release_cache
from mp.workload import Workload
from study.case import Case, given
from study.schedules import SCHEDULES
from study.values.calibrates import Calibrates, parse_calibrates

EngineOf = Callable[[Case], Engine[Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """A calibration that runs.

    Attributes:
        case: of the calibration.
        world: its ranks.
        engine_of: makes the engine of another case on the same GPUs.
        deadline: after which nothing new begins.
        left_out: sentences on what could not be measured, on the first rank.
    """

    case: Case
    world: Communicator
    engine_of: EngineOf
    deadline: Deadline
    left_out: list[str] = field(default_factory=list)
    _workloads: dict[str, Workload] = field(default_factory=dict)

    @cached_property
    def wanted(self) -> Calibrates:
        """All that the case asks for."""
        return parse_calibrates(given(self.case.calibrates), "its case")

    @property
    def device(self) -> torch.device:
        """The first device of this process."""
        return self.world.devices.real_device(0)

    @cached_property
    def kinds(self) -> list[Alike]:
        """The kinds of layers, and the loss."""
        is_pipeline = any(SCHEDULES[name].is_pipeline for name in self.wanted.schedules)
        workload = self.workload(self.wanted.gradients[0])
        return find_kinds(workload, self.wanted.rows[0], is_pipeline=is_pipeline)

    @property
    def usual(self) -> int:
        """The index of the kind that most layers are of; of several the largest."""
        entries = [alike.entry for alike in self.kinds]
        return max(
            range(len(entries)), key=lambda i: (len(entries[i].layers), entries[i].parameter_bytes)
        )

    @cached_property
    def inputs(self) -> dict[int, list[torch.Tensor]]:
        """Inputs of the kinds of layers as training has them, with the most rows."""
        workload = self.workload(self.wanted.gradients[0])
        return make_inputs(workload, self.kinds, self.wanted.rows[-1], self.device)

    def workload(self, gradients: str) -> Workload:
        """Return the model, with weight gradients computed in this way; drawn once for each."""
        if gradients not in self._workloads:
            self._workloads[gradients] = workload_of(replace(self.case, gradients=gradients))
        return self._workloads[gradients]

    def stack(self, kind: int, rows: int, gradients: str, shares: int = 1) -> Stack | None:
        """Return layers of a kind, as many as fit; None, with a sentence, where not one does.

        Args:
            kind: its index.
            rows: of the micro-batch.
            gradients: separate or fused.
            shares: over how many GPUs each layer is split.
        """
        alike, workload = self.kinds[kind], self.workload(gradients)
        like = input_like(workload, alike, rows)
        counts = (LAYERS, 2) if shares > 1 else sorted({alike.most, 1}, reverse=True)
        for count in counts:
            with suppress(torch.OutOfMemoryError):
                x = part_of(self.inputs, kind, like, self.device)
                stack = Stack(workload, alike, rows, self.device, count, shares, x)
                stack.try_all()
                return stack
            release_cache()  # once the error, which holds the layers, has gone
        which = self.named(kind, rows, shares)
        self.left_out.append(f"{which} does not fit on {self.device}.")
        return None

    def with_room(self, make: Callable[[], T], what: str) -> T | None:
        """Return what every rank has made; None, with a sentence, where one has no memory for it.

        Args:
            make: allocates it on this rank; all ranks call it together.
            what: it is for, in words.
        """
        made: T | None = None
        with suppress(torch.OutOfMemoryError):
            made = make()
        if all(self.world.all_gather(made is not None, bool)):
            return made
        made = None
        release_cache()
        self.left_out.append(f"No memory was left for {what}.")
        return None

    def named(self, kind: int, rows: int, shares: int = 1) -> str:
        """Return a layer with its rows, e.g. `layer 1 in 2 shares with 512 rows`.

        Args:
            kind: its index.
            rows: of the micro-batch.
            shares: over how many GPUs it is split.
        """
        split = f" in {shares} shares" if shares > 1 else ""
        return f"{self.kinds[kind].entry.name}{split} with {rows} rows"
