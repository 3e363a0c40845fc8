"""Slurm as a witness: asked as seldom as can be, and never for one job alone."""

import time
from pathlib import Path

from jobs.slurm_commands import NoAnswer, me, slurm_config
from jobs.slurm_jobs import SlurmJob, jobs_in_accounting, jobs_in_memory, jobs_in_queue
from study.submissions import Attempt, Submission

SACCT_EVERY_S = 30.0
CLOCKS_DIFFER_S = 120  # at most, between the machine that submitted and Slurm's


class Witness:
    """What Slurm says at one time; `refresh` asks again.

    `problem` is why it does not answer, None where it does.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self.queue: list[SlurmJob] = []
        self.accounting_answers = True
        self._by_place: dict[tuple[str | None, int], SlurmJob] = {}
        self._config: dict[str, str] | None = None
        self._accounts: dict[str, SlurmJob] = {}
        self._asked: set[str] = set()
        self._next_sacct_s = 0.0

    @property
    def cluster(self) -> str | None:
        """Slurm's ClusterName; None where it does not answer."""
        return (self._config or {}).get("ClusterName")

    def refresh(self) -> None:
        """Ask squeue, once for all jobs."""
        try:
            self._config = self._config or slurm_config()
            self.queue, self.problem = jobs_in_queue([me()]), None
        except NoAnswer as error:
            self.queue, self.problem = [], str(error)
        self._by_place = {(job.batch, job.index): job for job in self.queue}

    def knows(self, submission: Submission) -> bool:
        """Whether this cluster, asked by this user, can tell anything of the job."""
        of_here = submission.cluster in (None, self.cluster)
        return of_here and submission.user in (None, me())

    def has_alive(self, attempt: Attempt) -> bool:
        """Whether squeue shows the attempt as one that has not ended, whatever the ledger says."""
        job = self._by_place.get((attempt.submission.batch, attempt.submission.index))
        return job is not None and not job.is_final

    def knows_more(self, attempt: Attempt) -> bool:
        """Whether squeue can tell how an attempt ended that the ledger calls lost."""
        job = self._by_place.get((attempt.submission.batch, attempt.submission.index))
        was_lost = attempt.ended is not None and attempt.ended.outcome == "lost"
        return was_lost and job is not None and job.state != "COMPLETED"

    def find(self, submissions: list[Submission], settled: set[str]) -> dict[str, SlurmJob]:
        """Slurm's word on each of these submissions, by case id; missing where it has none.

        Args:
            settled: ids of the cases whose results are there; they need no second question.
        """
        if self.problem is not None:
            return {}
        found = _matching(submissions, self.queue)
        open_cases = [s for s in submissions if s.case_id not in settled]
        if any(s.case_id not in found or found[s.case_id].is_final for s in open_cases):
            found |= _matching(open_cases, self._memory())
        if missing := [s for s in open_cases if s.case_id not in found]:
            self._ask_accounting(missing)
            found |= {s.case_id: job for s in missing if (job := self._account_of(s)) is not None}
        return found

    def _memory(self) -> list[SlurmJob]:
        try:
            return jobs_in_memory()
        except NoAnswer:
            return []  # squeue has answered; scontrol only adds to it

    def will_ask(self, submission: Submission) -> bool:
        """Whether sacct is still to be asked about a job that nobody else knows."""
        return self._has_accounting and submission.job_id not in self._asked

    @property
    def _has_accounting(self) -> bool:
        return (self._config or {}).get("AccountingStorageType", "").endswith("slurmdbd")

    def _ask_accounting(self, missing: list[Submission]) -> None:
        if not self._has_accounting or time.monotonic() < self._next_sacct_s:
            return
        self._next_sacct_s = time.monotonic() + SACCT_EVERY_S
        self._asked = {s.job_id for s in missing}
        accounts = jobs_in_accounting(self._asked)
        self.accounting_answers = accounts is not None
        # What the database alone still calls running, nobody runs: the controller has no such job.
        self._accounts = {
            job.job_id.partition("_[")[0]: job for job in accounts or [] if job.is_final
        }

    def has_dropped(self, submission: Submission) -> bool:
        """Whether Slurm knows the job's array and no longer this element.

        That is all that is left of an element that was cancelled before it started.
        """
        return submission.is_element and any(job.batch == submission.batch for job in self.queue)

    def _account_of(self, submission: Submission) -> SlurmJob | None:
        job = self._accounts.get(submission.job_id)
        if job is None and not Path(submission.log).exists():
            # The whole array stands for those of its elements that never started.
            job = self._accounts.get(submission.array)
        # A cluster that was set up anew gives its job ids again.
        if job is None or job.submitted_s is None:
            return None
        return job if job.submitted_s >= submission.submitted_s - CLOCKS_DIFFER_S else None


def _matching(submissions: list[Submission], jobs: list[SlurmJob]) -> dict[str, SlurmJob]:
    """The jobs of these submissions by case id: those of their batch, never by a job id alone."""
    by_place = {(job.batch, job.index): job for job in jobs}
    found = {s.case_id: by_place.get((s.batch, s.index)) for s in submissions}
    return {case_id: job for case_id, job in found.items() if job is not None}
