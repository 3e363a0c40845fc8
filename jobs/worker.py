"""What runs inside a job: one case, and its result on disk.

submitit calls `run` on a Slurm node; the local executor starts `python -m jobs.worker` and writes
the assignment to its standard input. Imports torch only once it runs, so that a login node, which
imports this module to name `run`, needs none.
"""

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from study.case import Case
from study.progress import Progress, write_progress
from study.result import Job, Result
from study.result_file import encode
from study.store import Store, now, write_atomically

PROGRESS_EVERY_S = 1.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """All that a job needs to know."""

    case: Case
    device: str
    executor: Literal["slurm", "local"]
    results: str
    profile: str
    submitted_at: str

    def as_json(self) -> str:
        """As text, so that what travels to the job is data and no pickled object of ours."""
        return msgspec.json.encode(self).decode()


def run(assignment_json: str) -> None:
    """Run the assigned case and write its result; exit with 1 if the case failed."""
    assignment = msgspec.json.decode(assignment_json, type=Assignment)
    case = assignment.case
    store = Store(Path(assignment.results), assignment.profile)
    result = run_assigned(assignment, Reporter(store.progress_path(case)))
    write_result(store, result)
    store.progress_path(case).unlink(missing_ok=True)
    if result.error is not None:
        sys.exit(f"{case.case_id}: {result.outcome}: {result.error.message}")


def run_assigned(assignment: Assignment, report: "Reporter") -> Result:
    """The case's result, whatever its outcome."""
    started_at = now()
    report(Progress(phase="start"))

    from mp.devices import visible_gpus
    from mp.outcome import run_case

    on_slurm = assignment.executor == "slurm"
    job = Job(
        executor=assignment.executor,
        slurm_job_id=os.environ.get("SLURM_JOB_ID") if on_slurm else None,
        requested_gpus=assignment.case.gpus,
        allocated_gpus=allocated_gpus() if on_slurm else None,
        visible_gpus=None if assignment.device == "cpu" else visible_gpus(),
        submitted_at=assignment.submitted_at,
        started_at=started_at,
        finished_at=started_at,
    )
    result = run_case(assignment.case, assignment.device, job, report)
    return msgspec.structs.replace(result, job=msgspec.structs.replace(job, finished_at=now()))


def allocated_gpus() -> int | None:
    """How many GPUs Slurm says it gave this job on this node; None where it does not say."""
    count = os.environ.get("SLURM_GPUS_ON_NODE", "")
    if count.isdigit():
        return int(count)
    for variable in ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS"):
        if ids := os.environ.get(variable):
            return len(ids.split(","))
    return None


class Reporter:
    """Leaves the phase and step on disk; at most once a second within a phase."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.phase = ""
        self.next_s = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.phase == self.phase and time.monotonic() < self.next_s:
            return
        self.phase = progress.phase
        self.next_s = time.monotonic() + PROGRESS_EVERY_S
        print(f"{now()} {progress}", flush=True)
        write_progress(self.path, progress)


def write_result(store: Store, result: Result) -> None:
    """Put the result in place; where the disk refuses it, print it so that it is not lost."""
    data = encode(result)
    try:
        write_atomically(store.result_path(result.case), data)
    except OSError as error:
        print(data.decode())
        sys.exit(f"{result.case_id}: the result above could not be written: {error}")


def end_with_parent() -> None:
    """Be killed when submit.py is, so that no case goes on that a second run would start again."""
    with suppress(OSError, AttributeError):  # Linux has prctl; elsewhere the orphan finishes
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    end_with_parent()
    run(sys.stdin.read())
