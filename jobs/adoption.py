"""Jobs of ours that the ledger does not know: submit.py died before it could note them."""

from collections.abc import Iterable
from pathlib import Path

from jobs.batch import batch_path, read_batch
from jobs.slurm_jobs import SlurmJob
from study.result_file import ResultError, read_result
from study.store import Store
from study.submissions import Submission


def log_path(store: Store, job_id: str) -> Path:
    """The log of a Slurm job, or of an array's element, as submitit names it."""
    return store.logs / f"{job_id}_0_log.out"


def adopt(
    store: Store, queue: Iterable[SlurmJob], known: set[tuple[str, str]], thorough: bool
) -> list[Submission]:
    """The submissions that the queue and the results prove, beyond the known (batch, case id).

    Args:
        thorough: also look into the batches that are known in part, since lines are missing.
    """
    read_already = set() if thorough else {batch for batch, _ in known}
    adopted = [*_from_queue(store, queue), *_from_results(store, read_already)]
    missing = {(s.batch, s.case_id): s for s in adopted if (s.batch, s.case_id) not in known}
    return list(missing.values())


def _from_queue(store: Store, queue: Iterable[SlurmJob]) -> Iterable[Submission]:
    ours = [job for job in queue if job.batch is not None and job.batch.startswith(store.token)]
    batches = {name: read_batch(batch_path(store, name)) for name in {str(j.batch) for j in ours}}
    for job in ours:
        assignments = batches[str(job.batch)]
        if job.index < len(assignments):
            log = log_path(store, job.job_id)
            yield assignments[job.index].submitted_as(job.job_id, log)


def _from_results(store: Store, known_batches: set[str]) -> Iterable[Submission]:
    for path in sorted(store.batches.glob("*.json")):
        if path.stem in known_batches:
            continue
        for assignment in read_batch(path):
            try:
                job = read_result(store.result_path(assignment.case)).job
            except (OSError, ResultError):
                continue
            if job.submitted_at == assignment.submitted_at and job.slurm_job_id is not None:
                log = log_path(store, job.slurm_job_id)
                yield assignment.submitted_as(job.slurm_job_id, log)


def orphans(store: Store, queue: Iterable[SlurmJob]) -> list[SlurmJob]:
    """Jobs of this folder that have not ended and whose batch file is gone: no case to be had."""
    ours = (job for job in queue if (job.batch or "").startswith(store.token) and not job.is_final)
    return [job for job in ours if not batch_path(store, str(job.batch)).exists()]
