"""The process of a job: run one case, and put its result on disk.

`python -m jobs.worker BATCH` runs the batch's case, or in an array the one of this element's index;
with a process id behind it, it ends with that process. Of a case that has a process for each GPU,
every one runs this, and the first of them, rank 0, writes.
Imports torch only once it runs, so that whatever goes wrong before is said at once.
"""

from jobs.worker.needs import check_python

if __name__ == "__main__":  # before the imports that an unfit Python would fail at
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
from jobs.status.results import ResultFiles
from jobs.worker.environment import JobEnvironment
from jobs.worker.output import Reporter, reserve_of, silent, write_result
from jobs.worker.rank import drop_outer_rank_variables, mark_lines
from study.results.result import Job, Result
from study.storage.files import reserve_space
from study.storage.progress import Progress
from study.storage.store import Store, now

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(batch: Path, parent: int | None = None) -> None:
    """Run the assigned case and write its result; exit with 1 if the case failed."""
    if parent is not None and "RANK" not in os.environ:  # a rank ends with who started it
        end_with(parent)
    assignments = read_batch(batch)
    environment = job_environment(assignments[0].executor if assignments else "")
    index = environment.index
    if index >= len(assignments):
        sys.exit(f"mpbench: job failed: its batch {batch} is gone or holds no case {index}")
    if assignments[index].case.kind != "program":
        check_python(needs_torch=True)
    Worker(assignments[index], environment).run()


class Worker:
    """Runs the case of one assignment, in one of its processes.

    Args:
        assignment: what the job is to do.
        environment: what its executor tells the job of itself.
    """

    def __init__(self, assignment: Assignment, environment: JobEnvironment) -> None:
        self.assignment = assignment
        self.environment = environment
        self.case = assignment.case
        self.store = Store(Path(assignment.results), assignment.profile)

    def run(self) -> None:
        """Run the case, unless it has its result; exit with 1 if it failed."""
        rank = self.become_rank()
        mark_lines(rank)
        if rank == 0:
            job = f"{self.environment.attempt} of job {self.environment.job_id}"
            print(f"{ATTEMPT} {job} on {socket.gethostname()}", flush=True)
            if self.case.in_processes and "MASTER_ADDR" in os.environ:
                where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
                print(f"mpbench: ranks meet at {where}", flush=True)
        if self.is_measured():
            print(f"mpbench: {self.case.case_id} has its result from an attempt before")
            return
        result = self.measure_and_write() if rank == 0 else self.measure(silent, silent)
        if result.error is not None:
            sys.exit(words_of(result))

    def become_rank(self) -> int:
        """Return which of the case's processes this is.

        Where none has been started yet, start them, and end with them.
        """
        if not self.case.in_processes:
            return 0
        from mp.launcher.failure_files import is_rank

        meeting, secret = self.assignment.meeting, self.assignment.secret
        if not self.environment.become_rank(meeting, secret) and not is_rank():
            sys.exit(self.start_ranks())
        return int(os.environ["RANK"])

    def start_ranks(self) -> int:
        """Start the case's processes here, and write the result if the first one cannot."""
        from mp.launcher.launcher import start_ranks

        started_at = now()

        def write_loss(loss: tuple[int, str]) -> None:
            from mp.run import lost_case

            result = lost_case(self.case, self.describe_job(started_at), loss)
            write_result(self.store, ended_now(result), self.assignment.batch)

        return start_ranks(self.case.gpus, write_loss)

    def measure_and_write(self) -> Result:
        """Return the case's result, written; the other ranks, if there are any, write nothing."""
        progress = self.store.progress_path(self.case, self.assignment.batch)

        from mp.launcher.failure_files import mark_result_written

        def tell(result: Result) -> None:
            mark_result_written()
            write_result(self.store, result, self.assignment.batch)

        def give_up(result: Result) -> None:
            tell(result)
            print(words_of(result), file=sys.stderr, flush=True)

        with reserve_space(reserve_of(progress)):
            result = self.measure(Reporter(progress), give_up)
        tell(result)
        return result

    def is_measured(self) -> bool:
        """Return whether an attempt of this very job, before it was restarted, has measured.

        All ranks find the same: no rank writes before all have looked.
        """
        if self.environment.attempt == 1:
            return False
        head = ResultFiles().of_attempt(self.store, self.assignment)
        return head is not None and head.outcome == "ok"

    def measure(
        self, report: Callable[[Progress], None], give_up: Callable[[Result], None]
    ) -> Result:
        """Return the case's result, whatever its outcome.

        Args:
            report: called with the case's progress.
            give_up: called with the result where another rank has failed, and this process ends.
        """
        started_at = now()
        report(Progress(phase="start"))
        if self.case.kind == "program":
            return ended_now(self.run_program(self.describe_job(started_at), report))

        from mp.launcher.loading import no_search_while_loading
        from mp.timing.phases import since_process_start_s

        with no_search_while_loading():
            from mp.run import run_case

        job = self.describe_job(started_at)
        trace = self.store.trace_path(self.case) if self.assignment.trace else None
        device = self.assignment.device
        result = run_case(
            self.case,
            device,
            job,
            report,
            trace,
            lambda result: give_up(ended_now(result)),
            since_process_start_s(),
        )
        return ended_now(result)

    def run_program(self, job: Job, report: Callable[[Progress], None]) -> Result:
        """Return the result of the case's program."""
        from mp.program.run import run_program

        drop_outer_rank_variables()  # a launcher of its own sets them
        return run_program(self.case, self.assignment.device, job, report, self.assignment.folder)

    def count_visible_gpus(self) -> int:
        """Return how many GPUs this node shows: to NVML for a program, else to torch."""
        if self.case.kind == "program":
            from mp.program.gpus import visible_gpus as visible_to_nvml

            return len(visible_to_nvml())
        from mp.hardware.devices import visible_gpus

        return visible_gpus()

    def describe_job(self, started_at: str) -> Job:
        """Return what the result says of this job, an attempt that began at this time."""
        on_cpu = self.assignment.device == "cpu"
        return Job(
            executor=self.assignment.executor,
            slurm_job_id=self.environment.job_id,
            requested_gpus=self.case.gpus,
            allocated_gpus=self.environment.allocated_gpus,
            visible_gpus=None if on_cpu else self.count_visible_gpus() * self.environment.nodes,
            submitted_at=self.assignment.submitted_at,
            started_at=started_at,
            finished_at=started_at,
            attempt=self.environment.attempt,
        )


def words_of(result: Result) -> str:
    """Return how a failed case ended, for the log."""
    return f"mpbench: {result.case_id} failed: {result.outcome}: {result.why_failed}"


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
