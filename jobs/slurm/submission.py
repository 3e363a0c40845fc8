"""Batches of a plan: a named job for each case of a small grid, arrays for a large one."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from jobs.planned import PlannedCase, count_gpus
from jobs.slurm.sbatch import Request

SMALL_GRID = 32  # cases that still get a job of their own name
DEFAULT_MAX_ARRAY_SIZE = 1001  # Slurm's own
Asked = tuple[Request, list[PlannedCase]]


def make_batches(planned: list[PlannedCase], config: dict[str, str]) -> list[list[PlannedCase]]:
    """Return the cases of each call of sbatch: jobs of an array have the same resources."""
    if len(planned) <= SMALL_GRID:
        return [[each] for each in planned]
    allowed = config.get("MaxArraySize", "")
    # 0 is a Slurm without arrays.
    limit = max(int(allowed), 1) if allowed.isdigit() else DEFAULT_MAX_ARRAY_SIZE
    batches = []
    for _, group in groupby(sorted(planned, key=_resources), key=_resources):
        alike = list(group)
        batches += [alike[start : start + limit] for start in range(0, len(alike), limit)]
    return batches


def _resources(planned: PlannedCase) -> tuple[int, bool, int, str]:
    # On one profile's nodes these say how many nodes and tasks a job has.
    case = planned.case
    return case.gpus, case.in_processes, case.least_nodes, planned.exclude


def first_of_alike(batches: Iterable[Asked]) -> Iterator[tuple[str, Asked]]:
    """Yield the first batch of each set of requests, and a title that counts those like it.

    Args:
        batches: what each call of sbatch asks for, and its cases.
    """
    alike: dict[Request, list[Asked]] = {}
    for request, batch in batches:
        same = replace(request, name="", after=("a job",) if request.after else ())
        alike.setdefault(same, []).append((request, batch))
    for each in alike.values():
        yield _title(each), each[0]


def _title(alike: list[Asked]) -> str:
    request, batch = alike[0]
    first, count, gpus = batch[0].case.case_id, len(alike), count_gpus(request.gpus)
    one = f"{len(batch)} cases like {first}" if len(batch) > 1 else first
    if count == 1:
        return one
    what = f"{count} arrays of {len(batch)} jobs" if len(batch) > 1 else f"{count} jobs"
    waits = ", and wait for other jobs" if request.after else ""
    return f"{what} on {gpus} each, here of {one}; they differ in name, comment and log{waits}"


class Lanes:
    """So many jobs at a time, each waiting for the one before it in its lane.

    Slurm limits the elements of one array, and nothing else that a user could set.

    Args:
        most: how many may run at a time; None is no limit.
        running: ids of jobs that run already, or will, and count.
        arrays: ids of such arrays, which take all lanes.
    """

    def __init__(
        self, most: int | None, running: Sequence[str] = (), arrays: Sequence[str] = ()
    ) -> None:
        self._lanes: deque[list[str]] | None = None
        if most is not None and (arrays or len(running) > most):
            # Which of them follow which is not known here: all of them end first.
            self._lanes = deque([*arrays, *running] for _ in range(most))
        elif most is not None:
            self._lanes = deque(list(running[lane : lane + 1]) for lane in range(most))
            self._lanes.rotate(-len(running))  # the next is a lane without a job

    def next(self) -> list[str]:
        """Return the ids of the jobs that end before the next one begins."""
        return list(self._lanes[0]) if self._lanes else []

    def put(self, job_id: str) -> None:
        """Take the job as the last one of its lane."""
        if self._lanes:
            self._lanes[0] = [job_id]
            self._lanes.rotate(-1)
