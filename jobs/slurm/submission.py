"""Submitting a plan: a named job for each case of a small grid, arrays for a large one."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from jobs.batch import batch_path, make_assignments, new_batch_name, write_batch
from jobs.executor import NoAnswer, NotNoted, Unsure
from jobs.planned import PlannedCase
from jobs.profile import Profile
from jobs.slurm.commands import clock_in, current_user, run_command
from jobs.slurm.queue import jobs_in_queue
from jobs.slurm.recovery import keep_job_id
from jobs.slurm.sbatch import NotQueued, Request, SbatchCall, sbatch_call, worker_command
from jobs.status.results import archive_old_results
from study.errors import ConfigError
from study.storage.ledger import Submission, append
from study.storage.store import Store

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


@dataclass(frozen=True)
class Submitter:
    """Hands batches to sbatch.

    Attributes:
        requeue: let Slurm start a job again whose node failed.
    """

    profile: Profile
    store: Store
    requeue: bool = False

    def request_of(self, batch: list[PlannedCase], after: Sequence[str] = ()) -> Request:
        """Return what the batch asks of Slurm."""
        first, names = batch[0].case, {planned.case.job_name for planned in batch}
        return Request(
            gpus=first.gpus,
            size=len(batch),
            name=first.job_name if len(names) == 1 else f"mp-g{first.gpus}",
            in_processes=first.in_processes,
            exclude=batch[0].exclude,
            requeue=self.requeue,
            after=tuple(after),
        )

    def script_of(self, batch: list[PlannedCase], after: Sequence[str] = ()) -> str:
        """Return the sbatch script of a batch that is not submitted; its name is still open.

        Args:
            batch: the cases.
            after: what it waits for to end: jobs that are not submitted either have no id yet.
        """
        name = f"{self.store.token}-NAME"
        command = worker_command(batch_path(self.store, name), self.profile)
        return self._call(batch, name, after).script(command)

    def submit_batches(
        self,
        batches: list[list[PlannedCase]],
        config: dict[str, str],
        running: Sequence[Submission] = (),
    ) -> Iterator[list[Submission]]:
        """Submit one batch after another, and yield each one's submissions once they are noted.

        Args:
            batches: the cases of each call of sbatch.
            config: Slurm's settings.
            running: the jobs of this folder that have not ended, which count for max_parallel.

        Raises:
            ConfigError: Slurm refuses a batch; the ones before it are queued, the rest is not.
            NotNoted: the batch is queued, and the ledger cannot be written.
        """
        lanes = lanes_for(batches, self.profile.max_parallel, running)
        for batch in batches:
            _cancel_replaced(batch)
            submissions = self._submit(batch, config, lanes.next())
            lanes.put(submissions[0].array)
            yield submissions

    def _submit(
        self, batch: list[PlannedCase], config: dict[str, str], after: Sequence[str]
    ) -> list[Submission]:
        store = self.store
        name = new_batch_name(store)
        cluster, clock_s = config.get("ClusterName"), clock_in(config)
        assignments = make_assignments(batch, name, self.profile, store, cluster, clock_s)
        path = write_batch(store, assignments)
        aside = archive_old_results(batch, store)
        try:
            command = worker_command(path, self.profile)
            job_id = _queue(self._call(batch, name, after), command, path, name)
        except Unsure:
            raise  # the job may run and write its result where the old one was
        except BaseException:
            for planned, old in zip(batch, aside, strict=True):
                store.put_back(planned.case, old)
            raise
        keep_job_id(path.with_suffix(".sh"), job_id)
        ids = [job_id] if len(batch) == 1 else [f"{job_id}_{index}" for index in range(len(batch))]
        submissions = [
            assignment.submitted_as(element, store.log_path(element, name))
            for assignment, element in zip(assignments, ids, strict=True)
        ]
        try:
            append(store.submissions, *submissions)
        except OSError as error:
            raise NotNoted(submissions, error) from None
        return submissions

    def _call(self, batch: list[PlannedCase], name: str, after: Sequence[str]) -> SbatchCall:
        label = batch[0].case.case_id if len(batch) == 1 else f"{len(batch)}-cases"
        return sbatch_call(self.request_of(batch, after), label, name, self.profile, self.store)


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


def _cancel_replaced(batch: list[PlannedCase]) -> None:
    held = [planned.replaces for planned in batch if planned.replaces is not None]
    if held and (done := run_command("scancel", *held)).returncode != 0:
        raise ConfigError("scancel", f"{done.stderr.strip()}; held jobs cannot be replaced")


def _queue(call: SbatchCall, command: str, path: Path, name: str) -> str:
    """Return the job's id, also where sbatch queued the job and failed to say so."""
    try:
        return call.submit_script(command, path.with_suffix(".sh"))
    except (NotQueued, NoAnswer) as error:
        try:
            queued = [job for job in jobs_in_queue([current_user()]) if job.batch == name]
        except NoAnswer as silence:
            raise Unsure(
                "sbatch",
                f"{error}; {silence}; if the job was queued all the same, the next run finds it",
            ) from None
        if not queued:
            raise
        return queued[0].job_id.partition("_")[0]
