"""Poll Slurm: as seldom as can be, and never for one job alone."""

import time
from dataclasses import replace
from pathlib import Path

import msgspec

from jobs.executor import Cancellation, NoAnswer, Poller
from jobs.slurm.commands import NotInstalled, clock_in, current_user, run_command, slurm_config
from jobs.slurm.job_status import (
    describe_gone,
    describe_shown,
    left_alone,
    root_cause_of,
    to_cancel,
)
from jobs.slurm.queue import SlurmJob, exit_codes, jobs_in_accounting, jobs_in_queue
from jobs.slurm.recovery import find_orphans, recover_submissions
from jobs.status.case_status import CaseStatus, Snapshot, join_ids
from study.errors import ConfigError
from study.storage.ledger import Attempt, Submission
from study.storage.store import Store

SACCT_EVERY_S = 30.0


class SlurmPoller(Poller):
    """Slurm's answers at one time; `refresh` asks again."""

    def __init__(self) -> None:
        self.is_absent = False  # and will not answer on this machine
        self.queue: list[SlurmJob] = []
        self.accounting_answers = True
        self._shown = Shown([])
        self._config: dict[str, str] | None = None
        self._config_at_s = 0.0
        self._accounts: dict[str, SlurmJob] = {}
        self._asked: set[str] = set()
        self._next_sacct_s: dict[str, float] = {}  # by the mark of the results folder
        self._ended: dict[tuple[str | None, int], SlurmJob] = {}

    @property
    def cluster(self) -> str | None:
        """Slurm's ClusterName; None where it does not answer."""
        return (self._config or {}).get("ClusterName")

    def refresh(self) -> None:
        """Ask squeue, once for all jobs."""
        try:
            if self._config is None:
                self._config, self._config_at_s = slurm_config(), time.monotonic()
            self.queue, self.problem = jobs_in_queue([current_user()]), None
        except NoAnswer as error:
            self.queue, self.problem = [], str(error)
            self.is_absent = isinstance(error, NotInstalled)
        self._shown = Shown(self.queue)
        self._remember(self.queue)

    @property
    def clock_s(self) -> float | None:
        """Slurm's clock now, in seconds since 1970: no other tells how long ago a job ended."""
        then = clock_in(self._config or {})
        return None if then is None else then + time.monotonic() - self._config_at_s

    def update(self, statuses: list[CaseStatus], result_wait_s: float) -> list[CaseStatus]:
        """Return the cases with Slurm's word on their jobs."""
        asked = [s.submission for s in statuses if self.knows(s.submission)]
        jobs = self.find(asked, {s.submission.case_id for s in statuses if s.has_own_cause})
        return [
            self._update(status, jobs.get(status.submission.case_id), result_wait_s)
            for status in statuses
        ]

    def _update(self, seen: CaseStatus, job: SlurmJob | None, result_wait_s: float) -> CaseStatus:
        submission = seen.submission
        if self.problem is not None:
            # Where no Slurm is installed, it will never be seen to end.
            stuck = self.is_absent
            return replace(seen, is_live=True, is_stuck=stuck, reason="Slurm does not answer")
        if not self.knows(submission):
            if seen.has_own_cause:
                return replace(seen, is_news=True)
            reason = f"ask on {submission.cluster} as {submission.user}"
            return replace(seen, is_live=True, is_stuck=True, reason=reason)
        if job is None and not seen.has_own_cause and self.will_ask(submission):
            return replace(seen, is_live=True, reason="sacct will be asked")
        if job is None:
            was_dropped = self.has_dropped(submission)
            updated = describe_gone(seen, was_dropped, self.accounting_answers)
        else:
            updated = describe_shown(seen, job, self.clock_s, result_wait_s)
        lost_a_rank = seen.result is not None and seen.result.lost_a_rank
        return root_cause_of(updated, job) if lost_a_rank and updated.is_news else updated

    def recover(
        self, store: Store, known: set[tuple[str, str]], thorough: bool
    ) -> list[Submission]:
        """Return the submissions that the queue and the batches prove and the ledger lacks."""
        return recover_submissions(store, self.queue, known, thorough)

    def orphans(self, store: Store) -> list[str]:
        """Return the ids of jobs of this folder that have not ended and whose batch is gone."""
        return find_orphans(store, self.queue)

    def cancel(self, asked: list[CaseStatus], snapshot: Snapshot, token: str) -> Cancellation:
        """Cancel those live jobs of these cases that Slurm lists as ours at this moment."""
        jobs = []
        if chosen := to_cancel(asked, snapshot, token):
            self.refresh()
            jobs = self.listed(chosen)
        ids = join_ids(jobs)
        if ids and (done := run_command("scancel", *ids)).returncode != 0:
            problem = f"{done.stderr.strip()}; see which jobs remain with --status"
            raise ConfigError("scancel", problem)
        # Of an array's element that never started, Slurm may keep no record.
        batches = {submission.batch for submission in jobs}
        elements = (s for s in asked if s.state == "PENDING" and s.submission.is_element)
        pending = [s for s in elements if s.submission.batch in batches]
        return Cancellation(jobs, pending, left_alone(asked, token))

    def knows(self, submission: Submission) -> bool:
        """Return whether this cluster, asked by this user, can tell anything of the job."""
        of_here = submission.cluster in (None, self.cluster)
        return of_here and submission.user in (None, current_user())

    def listed(self, submissions: list[Submission]) -> list[Submission]:
        """Return those whose jobs squeue shows with our mark, not ended, under the ids it gives."""
        shown = ((s, self._shown.job_of(s)) for s in submissions)
        return [
            msgspec.structs.replace(s, job_id=job.job_id)
            for s, job in shown
            if job is not None and job.batch is not None and not job.is_final
        ]

    def has_alive(self, attempt: Attempt) -> bool:
        """Return whether squeue shows the attempt as not ended, whatever the ledger says."""
        job = self._shown.job_of(attempt.submission)
        return job is not None and not job.is_final

    def knows_more(self, attempt: Attempt) -> bool:
        """Return whether squeue can tell how an attempt ended that the ledger calls lost."""
        job = self._shown.job_of(attempt.submission)
        was_lost = attempt.ended is not None and attempt.ended.outcome == "lost"
        return was_lost and job is not None and job.state != "COMPLETED"

    def find(self, submissions: list[Submission], settled: set[str]) -> dict[str, SlurmJob]:
        """Return Slurm's word on each of these submissions, by case id; missing where it has none.

        Args:
            submissions: jobs that this cluster can know.
            settled: ids of the cases whose results are there; they need no second question.
        """
        if self.problem is not None:
            return {}
        found = self._shown.jobs_of(submissions)
        open_cases = [s for s in submissions if s.case_id not in settled]
        if any(s.case_id not in found for s in open_cases):
            found |= Shown(self._asked_again()).jobs_of(open_cases)
        found |= self._with_exit_codes({s.case_id: found.get(s.case_id) for s in open_cases})
        for s in open_cases:
            if s.case_id not in found and (s.batch, s.index) in self._ended:
                found[s.case_id] = self._ended[s.batch, s.index]
        if missing := [s for s in open_cases if s.case_id not in found]:
            self._ask_accounting(missing)
            found |= {s.case_id: job for s in missing if (job := self._account_of(s)) is not None}
        return found

    def _asked_again(self) -> list[SlurmJob]:
        """Return all jobs once more: one answer without a job is not believed."""
        try:
            jobs = jobs_in_queue([current_user()])
        except NoAnswer:
            return []  # it has answered once
        self._remember(jobs)
        return jobs

    def _with_exit_codes(self, jobs: dict[str, SlurmJob | None]) -> dict[str, SlurmJob]:
        """Return those of these jobs that have ended, with their exit codes."""
        ended = {case_id: job for case_id, job in jobs.items() if job is not None and job.is_final}
        if not ended:
            return {}
        try:
            codes = exit_codes(current_user())
        except NoAnswer:
            return {}  # squeue has answered; this only adds to it
        known = {key: replace(job, exit_code=codes.get(job.job_id)) for key, job in ended.items()}
        self._remember(list(known.values()))
        return known

    def _remember(self, jobs: list[SlurmJob]) -> None:
        """Keep Slurm's last word on jobs that have ended: it may forget them before we are done."""
        for job in (job for job in jobs if job.batch is not None):
            if job.is_final:
                self._ended[job.batch, job.index] = job
            else:  # it may have been restarted
                self._ended.pop((job.batch, job.index), None)

    def will_ask(self, submission: Submission) -> bool:
        """Return whether sacct is still to be asked about a job that nobody else knows."""
        return self._has_accounting and submission.job_id not in self._asked

    @property
    def _has_accounting(self) -> bool:
        return (self._config or {}).get("AccountingStorageType", "").endswith("slurmdbd")

    def _ask_accounting(self, missing: list[Submission]) -> None:
        folder = missing[0].batch.rpartition("-")[0]
        if not self._has_accounting or time.monotonic() < self._next_sacct_s.get(folder, 0.0):
            return
        self._next_sacct_s[folder] = time.monotonic() + SACCT_EVERY_S
        asked = {s.job_id for s in missing}
        accounts = jobs_in_accounting(asked)
        self._asked |= asked
        self.accounting_answers = accounts is not None
        # What the database alone still calls running, nobody runs: the controller has no such job.
        self._accounts |= {
            job.job_id.partition("_[")[0]: job for job in accounts or [] if job.is_final
        }

    def has_dropped(self, submission: Submission) -> bool:
        """Return whether Slurm knows the job's array and no longer this element.

        That is all that is left of an element that was cancelled before it started.
        """
        return submission.is_element and any(job.batch == submission.batch for job in self.queue)

    def _account_of(self, submission: Submission) -> SlurmJob | None:
        job = self._accounts.get(submission.job_id)
        if job is None and not Path(submission.log).exists():
            # The array's own line is that of all elements that never started; its id is 17_[3-5].
            job = self._accounts.get(submission.array)
            job = None if job is None else replace(job, job_id=submission.job_id)
        return job if job is not None and is_job_of(job, submission) else None


class Shown:
    """An answer of Slurm, in which jobs are found by what was submitted."""

    def __init__(self, jobs: list[SlurmJob]) -> None:
        self._by_place = {(job.batch, job.index): job for job in jobs if job.batch is not None}
        self._unmarked = {job.job_id: job for job in jobs if job.batch is None}

    def job_of(self, submission: Submission) -> SlurmJob | None:
        """Return the submission's job: the one of its batch, else one that has all but the mark."""
        if job := self._by_place.get((submission.batch, submission.index)):
            return job
        job = self._unmarked.get(submission.job_id)
        return job if job is not None and is_job_of(job, submission) else None

    def jobs_of(self, submissions: list[Submission]) -> dict[str, SlurmJob]:
        """Return the jobs of these submissions, by case id."""
        found = {s.case_id: self.job_of(s) for s in submissions}
        return {case_id: job for case_id, job in found.items() if job is not None}


def is_job_of(job: SlurmJob, submission: Submission) -> bool:
    """Return whether the job with this submission's id is its job: an id alone proves nothing.

    A cluster that was set up anew, or lost its newest jobs, gives ids again. Where a site has
    changed both marks of the batch, the comment and the script, the job is known by its id, user,
    name and time, by Slurm's clock alone.
    """
    if job.batch is not None:
        return job.batch == submission.batch
    submitted_s, known_since_s = job.submitted_s, submission.slurm_clock_s
    if submitted_s is None or known_since_s is None or submitted_s < known_since_s:
        return False
    is_named_so = submission.is_element or job.name == submission.job_name
    return is_named_so and job.user == (submission.user or current_user())
