"""The process of a job: run one case, and put its result on disk.

`python -m jobs.worker BATCH` runs the batch's case, or in an array the one of this element's index;
with a process id behind it, it ends with that process. Of a case that has a process for each GPU,
every one runs this, and the first of them, rank 0, writes.
Imports torch only once it runs, so that whatever goes wrong before is said at once.
"""

if __name__ == "__main__":  # before the imports that an unfit Python would fail at
    from jobs.worker.needs import check_python

    check_python()

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from jobs.batch import Assignment, read_batch
from jobs.executors import job_environment
from jobs.job_log import ATTEMPT
from jobs.status.results import result_of
from jobs.worker.environment import JobEnvironment
from jobs.worker.output import Reporter, reserve_of, silent, write_result
from jobs.worker.rank import mark_lines
from study.results.file import ResultError
from study.results.result import Job, Result
from study.storage.files import reserve_space
from study.storage.progress import Progress
from study.storage.store import Store, now

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(batch: Path, parent: int | None = None) -> None:
    """Run the assigned case and write its result; exit with 1 if the case failed."""
    if parent is not None and "RANK" not in os.environ:  # a rank ends with who started it
        end_with(parent)
    assignment, job = my_assignment(batch)
    rank = my_rank(assignment, job)
    mark_lines(rank)
    if rank == 0:
        where = f"of job {job.job_id} on {socket.gethostname()}"
        print(f"{ATTEMPT} {job.attempt} {where}", flush=True)
        if assignment.case.in_processes and "MASTER_ADDR" in os.environ:
            where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
            print(f"mpbench: ranks meet at {where}", flush=True)
    if is_measured(assignment, job):
        print(f"mpbench: {assignment.case.case_id} has its result from an attempt before")
        return
    run = run_first if rank == 0 else run_silently
    result = run(assignment, job)
    if result.error is not None:
        sys.exit(words_of(result))


def my_rank(assignment: Assignment, job: JobEnvironment) -> int:
    """Return which of the case's processes this is.

    Where none has been started yet, start them, and end with them.
    """
    if not assignment.case.in_processes:
        return 0
    from mp.launcher.failure_files import is_rank

    if not job.become_rank(assignment.meeting, assignment.secret) and not is_rank():
        sys.exit(start_ranks_of(assignment, job))
    return int(os.environ["RANK"])


def start_ranks_of(assignment: Assignment, job: JobEnvironment) -> int:
    """Start the case's processes here, and write the result if the first one cannot."""
    from mp.launcher.launcher import start_ranks

    started_at = now()

    def write_loss(loss: tuple[int, str]) -> None:
        from mp.run import lost_case

        result = lost_case(assignment.case, describe_job(assignment, job, started_at), loss)
        write_result(store_of(assignment), ended_now(result), assignment.batch)

    return start_ranks(assignment.case.gpus, write_loss)


def run_silently(assignment: Assignment, job: JobEnvironment) -> Result:
    """Return the case's result and write nothing: the first rank does."""
    return run_assigned(assignment, job, silent, silent)


def run_first(assignment: Assignment, job: JobEnvironment) -> Result:
    """Return the case's result, written."""
    store = store_of(assignment)
    progress = store.progress_path(assignment.case, assignment.batch)

    from mp.launcher.failure_files import say_told

    def tell(result: Result) -> None:
        say_told()
        write_result(store, result, assignment.batch)

    def give_up(result: Result) -> None:
        tell(result)
        print(words_of(result), file=sys.stderr, flush=True)

    with reserve_space(reserve_of(progress)):
        result = run_assigned(assignment, job, Reporter(progress), give_up)
    tell(result)
    return result


def words_of(result: Result) -> str:
    """Return how a failed case ended, for the log."""
    return f"mpbench: {result.case_id} failed: {result.outcome}: {result.why_failed}"


def my_assignment(batch: Path) -> tuple[Assignment, JobEnvironment]:
    """Return this job's assignment of the batch, and what its executor tells the job."""
    assignments = read_batch(batch)
    job = job_environment(assignments[0].executor if assignments else "")
    if job.index >= len(assignments):
        sys.exit(f"mpbench: job failed: its batch {batch} is gone or holds no case {job.index}")
    return assignments[job.index], job


def store_of(assignment: Assignment) -> Store:
    """Return the folder where its result belongs."""
    return Store(Path(assignment.results), assignment.profile)


def is_measured(assignment: Assignment, job: JobEnvironment) -> bool:
    """Return whether an attempt of this very job, before Slurm restarted it, had time to measure.

    All ranks find the same: no rank writes before all have looked.
    """
    try:
        result = result_of(store_of(assignment), assignment)
    except (OSError, ResultError):
        return False
    return job.attempt > 1 and result is not None and result.outcome == "ok"


def run_assigned(
    assignment: Assignment,
    environment: JobEnvironment,
    report: Callable[[Progress], None],
    give_up: Callable[[Result], None],
) -> Result:
    """Return the case's result, whatever its outcome.

    Args:
        assignment: what this job is to do.
        environment: what its executor tells the job.
        report: called with the case's progress.
        give_up: called with the result where another rank has failed, and this process ends.
    """
    started_at = now()
    report(Progress(phase="start"))

    from mp.run import run_case

    job = describe_job(assignment, environment, started_at)
    trace = store_of(assignment).trace_path(assignment.case) if assignment.trace else None
    case, device = assignment.case, assignment.device
    return ended_now(
        run_case(case, device, job, report, trace, lambda result: give_up(ended_now(result)))
    )


def describe_job(assignment: Assignment, job: JobEnvironment, started_at: str) -> Job:
    """Return what the result says of this job.

    Args:
        assignment: what it was to do.
        job: what its executor tells it.
        started_at: when this attempt began, ISO 8601.
    """
    from mp.hardware.devices import visible_gpus

    return Job(
        executor=assignment.executor,
        slurm_job_id=job.job_id,
        requested_gpus=assignment.case.gpus,
        allocated_gpus=job.allocated_gpus,
        visible_gpus=None if assignment.device == "cpu" else visible_gpus() * job.nodes,
        submitted_at=assignment.submitted_at,
        started_at=started_at,
        finished_at=started_at,
        attempt=job.attempt,
    )


def ended_now(result: Result) -> Result:
    """Return the result with the time of its end."""
    return msgspec.structs.replace(
        result, job=msgspec.structs.replace(result.job, finished_at=now())
    )


def end_with(parent: int) -> None:
    """Be killed when submit.py is, so that no case goes on that a second run would start again."""
    with suppress(OSError, AttributeError):  # Linux has prctl; elsewhere the orphan finishes
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was killed before we could say so
        sys.exit("mpbench: job failed: its submit.py is gone")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
