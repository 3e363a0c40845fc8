"""What fits into a call: when jobs should end, in the order in which they are submitted."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machines.batches import Batch
from benchmarks.machines.seconds import seconds_of
from study.case import Case


@dataclass(frozen=True)
class Planned:
    """A batch, those of its cases that no batch before has, and when the last should end.

    Attributes:
        ends_s: seconds after the beginning of the part.
    """

    batch: Batch
    cases: list[Case]
    ends_s: float


def parts_of(
    chosen: Iterable[Batch],
    folder: Path,
    gpus: int,
    within_s: float,
    done: set[tuple[str, Case]],
) -> list[list[Planned]]:
    """Return the parts, each of which should end within its time.

    Args:
        chosen: the batches, in order.
        folder: of the grid files.
        gpus: those of the machine.
        within_s: seconds for the jobs of a part.
        done: cases that were measured before, each with its profile.
    """
    parts: list[list[Planned]] = [[]]
    seen = set(done)
    queue = Queue(gpus)
    for batch in chosen:
        cases = batch.cases(folder)
        new = [case for case in cases if (batch.profile, case) not in seen]
        seen.update((batch.profile, case) for case in new)
        if not new:
            continue
        ends_s = queue.submit(batch, new)
        if ends_s > within_s and parts[-1]:
            parts.append([])
            queue = Queue(gpus)
            ends_s = queue.submit(batch, new)
        parts[-1].append(Planned(batch, new, ends_s))
    return parts


class Queue:
    """When jobs end that start in order, each as soon as it has its GPUs.

    Args:
        gpus: those of the machine.
    """

    def __init__(self, gpus: int) -> None:
        self.free_at_s = [0.0] * gpus
        self.begun_s = 0.0
        self.phase: object = None

    def submit(self, batch: Batch, cases: list[Case]) -> float:
        """Return when the last job ends, of these and of all before."""
        if batch.phase != self.phase:
            self.begun_s, self.phase = max(self.free_at_s), batch.phase
        for case in cases:
            count = 1 if batch.emulated else case.gpus
            taken = [heapq.heappop(self.free_at_s) for _ in range(count)]
            self.begun_s = max(self.begun_s, *taken)
            for _ in taken:
                heapq.heappush(self.free_at_s, self.begun_s + seconds_of(case))
        return max(self.free_at_s)
