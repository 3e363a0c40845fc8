"""Jobs of ours that the ledger lacks, since submit.py died before it could note them."""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from jobs.batch import batch_path, read_batch
from jobs.slurm.queue import SlurmJob
from study.storage.ledger import Submission
from study.storage.store import Store


def keep_job_id(script: Path, job_id: str) -> None:
    """Put the job's id into the name of its script: what is left if the ledger is not."""
    with suppress(OSError):
        script.rename(script.with_name(f"{script.stem}.{job_id}.sh"))


def recover_submissions(
    store: Store, queue: Iterable[SlurmJob], known: set[tuple[str, str]], thorough: bool
) -> list[Submission]:
    """Return the submissions that the queue and the batches prove and the ledger lacks.

    Args:
        store: the folder.
        queue: the jobs of this user.
        known: batch and case id of each line of the ledger.
        thorough: also look into the batches that are known in part, since lines are missing.
    """
    read_already = set() if thorough else {batch for batch, _ in known}
    recovered = [*_from_queue(store, queue), *_from_scripts(store, read_already)]
    missing = {(s.batch, s.case_id): s for s in recovered if (s.batch, s.case_id) not in known}
    return list(missing.values())


def _from_queue(store: Store, queue: Iterable[SlurmJob]) -> Iterable[Submission]:
    ours = [job for job in queue if job.batch is not None and job.batch.startswith(store.token)]
    batches = {name: read_batch(batch_path(store, name)) for name in {str(j.batch) for j in ours}}
    for job in ours:
        assignments = batches[str(job.batch)]
        if job.index < len(assignments):
            log = store.log_path(job.job_id, str(job.batch))
            yield assignments[job.index].submitted_as(job.job_id, log)


def _from_scripts(store: Store, known_batches: set[str]) -> Iterable[Submission]:
    """Yield what the names of submitted scripts prove: their batch and their job."""
    for script in sorted(store.batches.glob("*.*.sh")):
        named = re.fullmatch(rf"({store.token}-[0-9a-f]+)\.(\d+)\.sh", script.name)
        if named is None or named[1] in known_batches:  # that of another folder, or known
            continue
        batch, job_id = named.groups()
        assignments = read_batch(batch_path(store, batch))
        for index, assignment in enumerate(assignments):
            element = job_id if len(assignments) == 1 else f"{job_id}_{index}"
            yield assignment.submitted_as(element, store.log_path(element, batch))


def find_orphans(store: Store, queue: Iterable[SlurmJob]) -> list[str]:
    """Return the ids of jobs of this folder that have not ended and whose batch file is gone."""
    ours = (job for job in queue if (job.batch or "").startswith(store.token) and not job.is_final)
    return [job.job_id for job in ours if not batch_path(store, str(job.batch)).exists()]
