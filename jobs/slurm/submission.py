"""Submitting a plan: a named job for each case of a small grid, arrays for a large one."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from jobs.batch import batch_path, keep_job_id, new_batch_name, write_batch
from jobs.handover import assign, make_way
from jobs.plan import Item
from jobs.profile import Profile
from jobs.slurm.commands import NoAnswer, ask, me
from jobs.slurm.lanes import Lanes
from jobs.slurm.queue import jobs_in_queue
from jobs.slurm.sbatch import JobExecutor, NotQueued, Request, executor_for, worker_command
from study.errors import ConfigError
from study.storage.ledger import Submission, append
from study.storage.store import Store

SMALL_GRID = 32  # cases that still get a job of their own name
DEFAULT_MAX_ARRAY_SIZE = 1001  # Slurm's own


class Unsure(ConfigError):
    """Nobody says whether a job was queued."""


class NotNoted(ConfigError):
    """Jobs are queued, and the ledger cannot take their lines; the next run finds them."""

    def __init__(self, submissions: list[Submission], error: OSError) -> None:
        self.submissions = submissions
        super().__init__(
            error.filename,
            f"{error.strerror}; job {submissions[0].array} is queued and not noted there yet",
        )


def make_batches(items: list[Item], config: dict[str, str]) -> list[list[Item]]:
    """The cases of each call of sbatch: arrays hold one resource shape, MaxArraySize at most."""
    if len(items) <= SMALL_GRID:
        return [[item] for item in items]
    allowed = config.get("MaxArraySize", "")
    # 0 is a Slurm without arrays.
    limit = max(int(allowed), 1) if allowed.isdigit() else DEFAULT_MAX_ARRAY_SIZE
    shapes = groupby(sorted(items, key=_shape), key=_shape)
    batches = []
    for _, members in shapes:
        shape = list(members)
        batches += [shape[start : start + limit] for start in range(0, len(shape), limit)]
    return batches


def _shape(item: Item) -> tuple[int, bool, str]:
    # On one profile's nodes these say how many nodes and tasks a job has.
    return item.case.gpus, item.case.in_processes, item.exclude


def request_of(batch: list[Item], requeue: bool, after: Sequence[str] = ()) -> Request:
    """Return what the batch asks of Slurm."""
    return Request.of([item.case for item in batch], batch[0].exclude, requeue, tuple(after))


def script_of(
    batch: list[Item], profile: Profile, store: Store, requeue: bool, after: Sequence[str] = ()
) -> str:
    """Return the sbatch script of a batch that is not submitted; its name is still open.

    Args:
        after: what it waits for to end: jobs that are not submitted either have no id yet.
    """
    name = f"{store.token}-NAME"
    executor = _executor(batch, name, profile, store, requeue, after)
    return executor.script(worker_command(batch_path(store, name), profile))


def submit_batches(
    batches: list[list[Item]],
    profile: Profile,
    store: Store,
    config: dict[str, str],
    requeue: bool,
    running: Sequence[Submission] = (),
) -> Iterator[list[Submission]]:
    """Submit one batch after another; each one's submissions as soon as they are in the ledger.

    Args:
        config: Slurm's settings.
        running: the jobs of this folder that have not ended, which count for max_parallel.

    Raises:
        ConfigError: Slurm refuses a batch; the ones before it are queued, the rest is not.
        NotNoted: the batch is queued, and the ledger cannot be written.
    """
    lanes = lanes_for(batches, profile.max_parallel, running)
    for batch in batches:
        _cancel_replaced(batch)
        submissions = _submit(batch, profile, store, config, requeue, lanes.next())
        lanes.put(submissions[0].array)
        yield submissions


def lanes_for(batches: list[list[Item]], most: int | None, running: Sequence[Submission]) -> Lanes:
    """Return the lanes of these batches: arrays, which limit themselves, come one after another."""
    has_arrays = any(len(batch) > 1 for batch in batches)
    single = [submission.job_id for submission in running if not submission.is_element]
    arrays = dict.fromkeys(submission.array for submission in running if submission.is_element)
    return Lanes(1 if most and has_arrays else most, single, list(arrays))


def _cancel_replaced(batch: list[Item]) -> None:
    held = [item.replaces for item in batch if item.replaces is not None]
    if held and (done := ask("scancel", *held)).returncode != 0:
        raise ConfigError("scancel", f"{done.stderr.strip()}; held jobs cannot be replaced")


def _submit(
    batch: list[Item],
    profile: Profile,
    store: Store,
    config: dict[str, str],
    requeue: bool,
    after: Sequence[str],
) -> list[Submission]:
    name = new_batch_name(store)
    assignments = assign(batch, name, profile, store, config)
    path = write_batch(store, assignments)
    aside = make_way(batch, store)
    try:
        command = worker_command(path, profile)
        executor = _executor(batch, name, profile, store, requeue, after)
        job_id = _queue(executor, command, path, name)
    except Unsure:
        raise  # the job may run and write its result where the old one was
    except BaseException:
        for item, old in zip(batch, aside, strict=True):
            store.put_back(item.case, old)
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


def _executor(
    batch: list[Item],
    name: str,
    profile: Profile,
    store: Store,
    requeue: bool,
    after: Sequence[str] = (),
) -> JobExecutor:
    label = batch[0].case.case_id if len(batch) == 1 else f"{len(batch)}-cases"
    request = request_of(batch, requeue, after)
    return executor_for(request, label, name, profile, store)


def _queue(executor: JobExecutor, command: str, path: Path, name: str) -> str:
    """The job's id, also where sbatch queued the job and failed to say so."""
    try:
        return executor.submit_script(command, path.with_suffix(".sh"))
    except (NotQueued, NoAnswer) as error:
        try:
            queued = [job for job in jobs_in_queue([me()]) if job.batch == name]
        except NoAnswer as silence:
            raise Unsure(
                "sbatch",
                f"{error}; {silence}; if the job was queued all the same, the next run finds it",
            ) from None
        if not queued:
            raise
        return queued[0].job_id.partition("_")[0]
