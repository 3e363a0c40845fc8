"""A batch: the cases that one call hands to an executor, in a file that their jobs read.

The file is on disk before the call, so that whatever happens in between, a job knows its case, and
a job that the ledger does not know can be told from others.
"""

import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import msgspec

from jobs.worker.meeting import Meeting
from study.case import Case
from study.storage.files import NOT_THE_DATA, SECRET_FILE, read_file, write_atomically
from study.storage.ledger import BatchName, Submission
from study.storage.store import Store

MAX_BYTES = 256 * 1024 * 1024  # a hundred thousand cases


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """All that a job needs to know, and all that the ledger will.

    Attributes:
        secret: what the job's ranks know one another by. It is in this file alone, which nobody
            else can read: not in the ledger, the script, a log or a result.
    """

    batch: BatchName
    case: Case
    grid: str
    overrides: dict[str, Any]
    device: str
    executor: Literal["slurm", "local"]
    results: str
    profile: str
    timeout_min: int | None
    user: str
    cluster: str | None
    submitted_at: str
    trace: bool = False
    number: int = 0
    slurm_clock_s: int | None = None
    meeting: Meeting = Meeting()
    secret: str = ""

    def submitted_as(self, job_id: str, log: Path) -> Submission:
        """Return the ledger's line once this has become a job."""
        return Submission(
            case=self.case,
            case_id=self.case.case_id,
            grid=self.grid,
            overrides=self.overrides,
            executor=self.executor,
            job_id=job_id,
            job_name=self.case.job_name,
            log=str(log),
            requested_gpus=self.case.gpus,
            timeout_min=self.timeout_min,
            submitted_at=self.submitted_at,
            batch=self.batch,
            user=self.user,
            cluster=self.cluster,
            number=self.number,
            slurm_clock_s=self.slurm_clock_s,
        )


def new_batch_name(store: Store) -> str:
    """A name that no other batch has, and that tells this results folder from others."""
    return f"{store.token}-{uuid.uuid4().hex[:12]}"


def batch_path(store: Store, batch: str) -> Path:
    """Where the batch of this name lies."""
    return store.batches / f"{batch}.json"


def write_batch(store: Store, assignments: list[Assignment]) -> Path:
    """Put the batch on disk, for good."""
    path = batch_path(store, assignments[0].batch)
    write_atomically(path, msgspec.json.encode(assignments), mode=SECRET_FILE)
    return path


def keep_job_id(script: Path, job_id: str) -> None:
    """Put the job's id into the name of its script: what is left if the ledger is not."""
    with suppress(OSError):
        script.rename(script.with_name(f"{script.stem}.{job_id}.sh"))


def read_batch(path: Path) -> list[Assignment]:
    """Return the batch of this file; empty where there is none, or that of another name."""
    try:
        data = read_file(path, most=MAX_BYTES)
        assignments = msgspec.json.decode(data, type=list[Assignment])
    except (OSError, *NOT_THE_DATA):
        return []
    return assignments if {a.batch for a in assignments} == {path.stem} else []
