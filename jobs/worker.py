"""What runs inside a job: one case, and its result on disk.

`python -m jobs.worker BATCH` runs the batch's case, or in an array the one of this element's index;
with a process id behind it, it ends with that process.
Imports torch only once it runs, so that whatever goes wrong before is said at once.
"""

import ctypes
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from jobs.batch import Assignment, read_batch
from jobs.traces import ATTEMPT, NOT_WRITTEN, RESULT
from study.progress import Progress, write_progress
from study.result import Job, Result
from study.result_file import ResultError, encode, read_result
from study.store import Store, now, reserve_space, write_atomically

PROGRESS_EVERY_S = 1.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(batch: Path, parent: int | None = None) -> None:
    """Run the assigned case and write its result; exit with 1 if the case failed."""
    if parent is not None:
        end_with(parent)
    assignment = my_assignment(batch)
    print(f"{ATTEMPT} {attempt()} of job {job_id()} on {socket.gethostname()}", flush=True)
    case = assignment.case
    store = store_of(assignment)
    if is_measured(store, assignment):
        print(f"mpbench: {case.case_id} has its result from an attempt before; nothing to do")
        return
    with reserve_space(store.progress_path(case).with_suffix(".reserve")):
        result = run_assigned(assignment, Reporter(store.progress_path(case)))
    write_result(store, result)
    with suppress(OSError):
        store.progress_path(case).unlink(missing_ok=True)
    if result.error is not None:
        sys.exit(f"mpbench: {case.case_id} failed: {result.outcome}: {result.error.message}")


def my_assignment(batch: Path) -> Assignment:
    """The batch's only assignment, or this array element's."""
    assignments = read_batch(batch)
    index = int(os.environ.get("SLURM_ARRAY_TASK_ID", 0))
    if index >= len(assignments):
        sys.exit(f"mpbench: job failed: its batch {batch} is gone or holds no case {index}")
    return assignments[index]


def store_of(assignment: Assignment) -> Store:
    """Where its result belongs."""
    return Store(Path(assignment.results), assignment.profile)


def is_measured(store: Store, assignment: Assignment) -> bool:
    """Whether an attempt of this very job, before Slurm restarted it, had time to finish."""
    try:
        result = read_result(store.result_path(assignment.case))
    except (OSError, ResultError):
        return False
    return attempt() > 1 and result.job.submitted_at == assignment.submitted_at


def attempt() -> int:
    """Which attempt of this job this is; Slurm counts the restarts."""
    return int(os.environ.get("SLURM_RESTART_COUNT", 0)) + 1


def job_id() -> str | None:
    """The job's id as squeue shows it; None outside of Slurm."""
    array, index = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{index}" if array and index else os.environ.get("SLURM_JOB_ID")


def run_assigned(assignment: Assignment, report: "Reporter") -> Result:
    """The case's result, whatever its outcome."""
    started_at = now()
    report(Progress(phase="start"))

    from mp.devices import visible_gpus
    from mp.outcome import run_case

    on_slurm = assignment.executor == "slurm"
    job = Job(
        executor=assignment.executor,
        slurm_job_id=job_id() if on_slurm else None,
        requested_gpus=assignment.case.gpus,
        allocated_gpus=allocated_gpus() if on_slurm else None,
        visible_gpus=None if assignment.device == "cpu" else visible_gpus(),
        submitted_at=assignment.submitted_at,
        started_at=started_at,
        finished_at=started_at,
        attempt=attempt() if on_slurm else 1,
    )
    trace = store_of(assignment).trace_path(assignment.case) if assignment.trace else None
    result = run_case(assignment.case, assignment.device, job, report, trace)
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
        with suppress(OSError):  # a full disk is no reason to stop measuring
            write_progress(self.path, progress)


def write_result(store: Store, result: Result) -> None:
    """Put the result in place; where the disk refuses it, print it so that it is not lost."""
    data = encode(result)
    try:
        write_atomically(store.result_path(result.case), data)
    except OSError as error:
        print(f"{RESULT} {msgspec.json.format(data, indent=-1).decode()}")
        sys.exit(f"{NOT_WRITTEN}: {error.strerror}; it stands in the line above, after {RESULT!r}")


def end_with(parent: int) -> None:
    """Be killed when submit.py is, so that no case goes on that a second run would start again."""
    with suppress(OSError, AttributeError):  # Linux has prctl; elsewhere the orphan finishes
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was killed before we could say so
        sys.exit("mpbench: job failed: its submit.py is gone")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
