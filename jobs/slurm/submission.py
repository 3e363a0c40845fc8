"""Batches of a plan: a named job for each case of a small grid, arrays for a large one."""

from collections import deque
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from jobs.executor import NoAnswer, Unsure
from jobs.planned import PlannedCase
from jobs.slurm.commands import current_user, run_command
from jobs.slurm.queue import jobs_in_queue
from jobs.slurm.sbatch import NotQueued, SbatchCall
from study.errors import ConfigError
from study.storage.ledger import Submission

SMALL_GRID = 32  # cases that still get a job of their own name
DEFAULT_MAX_ARRAY_SIZE = 1001  # Slurm's own


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


def _resources(planned: PlannedCase) -> tuple[int, bool, str]:
    # On one profile's nodes these say how many nodes and tasks a job has.
    return planned.case.gpus, planned.case.in_processes, planned.exclude


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


def lanes_for(
    batches: list[list[PlannedCase]], most: int | None, running: Sequence[Submission]
) -> Lanes:
    """Return the lanes of these batches: arrays, which limit themselves, come one after another.

    Args:
        batches: the cases of each call of sbatch.
        most: how many jobs may run at a time; None is no limit.
        running: the jobs of this folder that have not ended.
    """
    has_arrays = any(len(batch) > 1 for batch in batches)
    single = [submission.job_id for submission in running if not submission.is_element]
    arrays = dict.fromkeys(submission.array for submission in running if submission.is_element)
    return Lanes(1 if most and has_arrays else most, single, list(arrays))


def cancel_replaced(batch: list[PlannedCase]) -> None:
    """Cancel the jobs that Slurm holds for ever and that this batch replaces.

    Raises:
        ConfigError: scancel fails.
    """
    held = [planned.replaces for planned in batch if planned.replaces is not None]
    if held and (done := run_command("scancel", *held)).returncode != 0:
        raise ConfigError("scancel", f"{done.stderr.strip()}; held jobs cannot be replaced")


def queue_batch(call: SbatchCall, command: str, path: Path) -> str:
    """Return the id of the queued job, also where sbatch queued it and failed to say so.

    Args:
        call: of sbatch.
        command: what the job runs.
        path: the file of the batch.

    Raises:
        NotQueued: no job was queued.
        Unsure: nobody says whether a job was queued.
    """
    try:
        return call.submit_script(command, path.with_suffix(".sh"))
    except (NotQueued, NoAnswer) as error:
        try:
            queued = [job for job in jobs_in_queue([current_user()]) if job.batch == path.stem]
        except NoAnswer as silence:
            raise Unsure(
                "sbatch",
                f"{error}; {silence}; if the job was queued all the same, the next run finds it",
            ) from None
        if not queued:
            raise
        return queued[0].job_id.partition("_")[0]
