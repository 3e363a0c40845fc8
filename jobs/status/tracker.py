"""The status of every case of a folder: from its result, its executor's word, and its log."""

import shlex
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from jobs.executor import Poller
from jobs.profile import RESULT_WAIT_S
from jobs.status.case_status import CaseStatus, Snapshot, folder_of
from jobs.status.results import ResultFiles
from study.storage.ledger import (
    Attempt,
    Ended,
    Event,
    Submission,
    append,
    attempts_of_each_case,
    log_of,
    read,
)
from study.storage.progress import read_progress
from study.storage.store import Store


class JobTracker:
    """Follows the jobs of one results folder.

    Args:
        store: the folder.
        pollers: by the name of their executor; refreshed by the caller, once for all folders.
        record: write what ended, and what was recovered, into the ledger; False only looks. None is
            to write where this user has submitted into this very folder, as --status does.
        result_wait_s: how long a result may take to be seen from here after its job has ended.
        unasked: executors whose pollers are refreshed only if the folder has jobs of theirs.
    """

    def __init__(
        self,
        store: Store,
        pollers: Mapping[str, Poller],
        record: bool | None = None,
        result_wait_s: float = RESULT_WAIT_S,
        unasked: Collection[str] = (),
    ) -> None:
        self.unasked = unasked
        self.store = store
        self.pollers = pollers
        self.record = record
        self.result_wait_s = result_wait_s

    def refresh(self) -> Snapshot:
        """Return the status of every case by what the executors said last."""
        events, broken = read(self.store.submissions)
        for name in {e.executor for e in events if isinstance(e, Submission)} & {*self.unasked}:
            self.pollers[name].refresh()
        recovered = self._recover(events, broken)
        attempts = attempts_of_each_case([*events, *recovered])
        newest = {case_id: self._newest(tried) for case_id, tried in attempts.items()}
        results = ResultFiles()
        statuses = self._determine(list(newest.values()), results)
        endings = [status.ended() for status in statuses if status.is_news]
        if self._may_write([*events, *recovered]):
            for status in statuses:
                if status.overrules:
                    results.put_aside(self.store, status.submission)
            self._note([*recovered, *endings])
        return Snapshot(
            statuses={status.submission.case_id: status for status in statuses},
            attempts=_with(attempts, endings),
            endings=[*(e for e in events if isinstance(e, Ended)), *endings],
            earlier=self._earlier(attempts, newest),
            orphans=[job for poller in self.pollers.values() for job in poller.orphans(self.store)],
            notes=[*self._notes(broken, len(recovered)), *self._notes_of_a_move(statuses)],
            results=results,
            batches={event.batch for event in events},
            broken_lines=broken,
        )

    def _may_write(self, events: list[Event]) -> bool:
        return self.store.is_ours(e.batch for e in events) if self.record is None else self.record

    def note_cancelled(self, cancelled: list[CaseStatus]) -> None:
        """Note the end of what was cancelled before it started and left no record elsewhere."""
        why = "cancelled with --cancel before it started"
        gone = [replace(s, state=None, reason="", why=why, told_by="submit.py") for s in cancelled]
        self._note(replace(status, outcome="cancelled").ended() for status in gone)

    def _has_alive(self, attempt: Attempt) -> bool:
        poller = self.pollers.get(attempt.submission.executor)
        return poller is not None and poller.has_alive(attempt)

    def _newest(self, tried: list[Attempt]) -> Attempt:
        """Return the last attempt; but one that is alive, though older or noted as ended."""
        living = [attempt for attempt in tried if self._has_alive(attempt)]
        newest = (living or tried)[-1]
        poller = self.pollers.get(newest.submission.executor)
        is_open = living or (poller is not None and poller.knows_more(newest))
        return Attempt(newest.submission) if is_open else newest

    def _earlier(
        self, attempts: dict[str, list[Attempt]], newest: dict[str, Attempt]
    ) -> dict[str, list[Attempt]]:
        """Return what else lives of each case: two submissions at once, without a lock, do that."""
        found: dict[str, list[Attempt]] = defaultdict(list)
        for case_id, tried in attempts.items():
            batch = newest[case_id].submission.batch
            found[case_id] += [
                a for a in tried if a.submission.batch != batch and self._has_alive(a)
            ]
        return {case_id: alive for case_id, alive in found.items() if alive}

    def _recover(self, events: list[Event], broken: int) -> list[Submission]:
        known = {(e.batch, e.case_id) for e in events if isinstance(e, Submission)}
        return [
            submission
            for poller in self.pollers.values()
            for submission in poller.recover(self.store, known, thorough=broken > 0)
        ]

    def _determine(self, latest: list[Attempt], results: ResultFiles) -> list[CaseStatus]:
        """Return each case's status: the ledger's for good, else the result's, else the poller's.

        The executors are asked once each, for all of their jobs.
        """
        found = {a.submission.case_id: self._on_disk(a, results) for a in latest}
        open_cases: dict[str, list[CaseStatus]] = defaultdict(list)
        for attempt in latest:
            if attempt.ended is None:
                open_cases[attempt.submission.executor].append(found[attempt.submission.case_id])
        for executor, statuses in open_cases.items():
            updated = self._update(executor, statuses)
            found |= {status.submission.case_id: status for status in updated}
        return [self._with_earlier_result(status, results) for status in found.values()]

    def _update(self, executor: str, statuses: list[CaseStatus]) -> list[CaseStatus]:
        if executor in self.pollers:
            return self.pollers[executor].update(statuses, self.result_wait_s)
        reason = f"no executor {executor} in this version"
        return [replace(s, is_live=True, is_stuck=True, reason=reason) for s in statuses]

    def _on_disk(self, attempt: Attempt, results: ResultFiles) -> CaseStatus:
        """Return what the folder tells of the attempt."""
        submission, ended = attempt.submission, attempt.ended
        result = results.of_attempt(self.store, submission)
        status = CaseStatus(
            submission=submission,
            profile=self.store.profile,
            log=log_of(submission, self.store),
            # A job that ends well removes its progress.
            progress=read_progress(self.store.progress_path(submission.case, submission.batch)),
            result=result,
        )
        if ended is not None:
            outcome, why = ended.outcome, ended.reason
            if result is None and ended.outcome == "ok":
                outcome, why = "lost", "it was measured, but its result file is gone"
            status = replace(
                status,
                state=ended.state,
                reason=ended.state_reason,
                nodes=ended.nodes,
                elapsed_s=ended.elapsed_s,
                outcome=outcome,
                why=why,
                told_by=ended.told_by,
            )
        return replace(status, outcome=result.outcome, why=result.why) if result else status

    def _with_earlier_result(self, status: CaseStatus, results: ResultFiles) -> CaseStatus:
        """Return the status with what the folder tells of a job that left no result."""
        if status.outcome in (None, "ok"):
            return status
        if self._has_moved_since(status.submission) and status.is_news:
            old = folder_of(status.submission)
            hint = f"if it left a result, then in {old}, where this folder was"
            status = replace(status, why=f"{status.why}; {hint}")
        kept = results.head_of(self.store.result_path(status.submission.case))
        return replace(status, has_earlier_result=kept is not None and kept.outcome == "ok")

    def _has_moved_since(self, submission: Submission) -> bool:
        """Return whether the folder was somewhere else, or is the copy of one, when this began."""
        batch = submission.batch
        return bool(batch) and not batch.startswith(self.store.token)

    def _notes_of_a_move(self, statuses: list[CaseStatus]) -> list[str]:
        """Return what to do where jobs write their results to where this folder was."""
        ours = [status for status in statuses if status.is_live and status.is_marked]
        away = [s.submission for s in ours if self._has_moved_since(s.submission)]
        if not away:
            return []
        jobs = " ".join(submission.job_id for submission in away)
        old = folder_of(away[0])
        copy = shlex.join(["cp", "-rn", "--", f"{old}/.", f"{self.store.folder}/"])
        return [
            f"{self.store.folder} was moved or copied from {old}, where the jobs {jobs} still "
            f"write: wait for them and copy their results ({copy}), or end them (scancel {jobs})"
        ]

    def _note(self, events: Iterable[Event]) -> None:
        if events := list(events):
            with suppress(OSError):  # a folder that cannot be written can still be looked at
                append(self.store.submissions, *events)

    def _notes(self, broken: int, found: int) -> list[str]:
        if not broken:
            return []
        return [
            f"{self.store.submissions}: lines that cannot be read: {broken}; jobs found again in "
            f"the queue and the batches: {found}"
        ]


def _with(attempts: dict[str, list[Attempt]], endings: list[Ended]) -> dict[str, list[Attempt]]:
    ends = {(ended.case_id, ended.batch): ended for ended in endings}
    return {
        case_id: [replace(a, ended=ends.get((case_id, a.submission.batch), a.ended)) for a in tried]
        for case_id, tried in attempts.items()
    }
