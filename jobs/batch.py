"""A batch: the cases that are submitted by one call, in a file that their jobs read.

The file is on disk before the call, so that whatever happens in between, a job knows its case, and
a job that the ledger does not know can be told from others.
"""

import uuid
from pathlib import Path
from typing import Any

import msgspec

from jobs.worker.meeting import Meeting
from study.case import Case
from study.storage.files import NOT_THE_DATA, SECRET_FILE, read_file, write_atomically
from study.storage.ledger import BatchName, Submission
from study.storage.prediction import Prediction
from study.storage.store import Store

MAX_BYTES = 256 * 1024 * 1024  # a hundred thousand cases


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A job's orders; most of it goes into the ledger, too.

    Attributes:
        secret: by which the job's ranks know one another. It is in this file alone, which nobody
            else can read: not in the ledger, the script, a log or a result.
        folder: in which submit.py was called, and a program runs; in this file alone, too.
    """

    batch: BatchName
    case: Case
    grid: str
    overrides: dict[str, Any]
    device: str
    executor: str
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
    folder: str = ""
    prediction: Prediction | None = None
    no_prediction: str = ""

    def submitted_as(self, job_id: str, log: Path) -> Submission:
        """Return the ledger's line once this has become a job."""
        ours = msgspec.structs.asdict(self)
        return Submission(
            **{key: ours[key] for key in Submission.__struct_fields__ if key in ours},
            case_id=self.case.case_id,
            job_id=job_id,
            job_name=self.case.job_name,
            log=str(log),
            requested_gpus=self.case.gpus,
        )


def new_batch_name(store: Store) -> str:
    """Return a name that no other batch has, and that tells this results folder from others."""
    return f"{store.token}-{uuid.uuid4().hex[:12]}"


def batch_path(store: Store, batch: str) -> Path:
    """Return the file of the batch of this name."""
    return store.batches / f"{batch}.json"


def write_batch(store: Store, assignments: list[Assignment]) -> Path:
    """Write the batch to disk, for good."""
    path = batch_path(store, assignments[0].batch)
    write_atomically(path, msgspec.json.encode(assignments), mode=SECRET_FILE)
    return path


def read_batch(path: Path) -> list[Assignment]:
    """Return the batch of this file; empty where there is none, or that of another name."""
    try:
        data = read_file(path, most=MAX_BYTES)
        assignments = msgspec.json.decode(data, type=list[Assignment])
    except (OSError, *NOT_THE_DATA):
        return []
    return assignments if {a.batch for a in assignments} == {path.stem} else []
