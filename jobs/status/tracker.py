"""Where every case stands: its result, then Slurm's word, then what its job left on disk."""

import shlex
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from jobs.profile import RESULT_WAIT_S
from jobs.slurm.poller import Witness
from jobs.status.case_status import Observation, judge, knows_no_cause
from jobs.status.recovery import adopt, orphans
from jobs.worker.output import is_measured, put_result_aside, result_of
from study.results.file import ResultError
from study.results.result import Result
from study.storage.ledger import (
    Attempt,
    Ended,
    Event,
    Submission,
    append,
    are_nodes,
    attempts_of_each_case,
    read,
)
from study.storage.store import Store, now


@dataclass(frozen=True)
class View:
    """Every submitted case at one time, by case id.

    Attributes:
        attempts: all attempts at a case, oldest first.
        endings: all ends that were seen, in that order.
        earlier: attempts before the newest that Slurm still has alive, of each case that has any.
        orphans: ids of queued jobs of ours that name a batch file that is gone.
        notes: what a person should know, e.g. that Slurm does not answer.
    """

    observations: dict[str, Observation] = field(default_factory=dict)
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    endings: list[Ended] = field(default_factory=list)
    earlier: dict[str, list[Attempt]] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Observer:
    """Looks at one results folder, again and again.

    Args:
        witness: Slurm, asked by whoever looks, once for all folders; not at all if none needs it.
        record: write what ended, and what was adopted, into the ledger; False only looks. None is
            to write where this user has submitted into this very folder, as who only looks does.
        result_wait_s: how long a result may take to be seen from here after its job has ended.
    """

    def __init__(
        self,
        store: Store,
        witness: Witness,
        record: bool | None = None,
        result_wait_s: float = RESULT_WAIT_S,
    ) -> None:
        self.store = store
        self.witness = witness
        self.record = record
        self.result_wait_s = result_wait_s

    def look(self) -> View:
        """Judge every case by what Slurm said last."""
        events, broken = read(self.store.submissions)
        adopted = self._adopt(events, broken)
        attempts = attempts_of_each_case([*events, *adopted])
        newest = {case_id: self._newest(tried) for case_id, tried in attempts.items()}
        observations = self._observe(list(newest.values()))
        endings = [_ending(o) for o in observations if o.is_news]
        if self._may_write([*events, *adopted]):
            self._put_aside(o for o in observations if o.overrules)
            self._note([*adopted, *endings])
        return View(
            observations={o.submission.case_id: o for o in observations},
            attempts=_with(attempts, endings),
            endings=[*(e for e in events if isinstance(e, Ended)), *endings],
            earlier=self._earlier(attempts, newest),
            orphans=[job.job_id for job in orphans(self.store, self.witness.queue)],
            notes=[*self._notes(broken, len(adopted)), *self._notes_of_a_move(observations)],
        )

    def _may_write(self, events: list[Event]) -> bool:
        return self.store.is_ours(e.batch for e in events) if self.record is None else self.record

    def note_cancelled(self, cancelled: list[Observation]) -> None:
        """Write down the ends of what Slurm drops without a trace when it is cancelled."""
        why = "cancelled with --cancel before it started"
        ids = {o.submission.case_id for o in cancelled}
        known = self.witness.find([o.submission for o in cancelled], settled=ids)
        gone = (o for o in cancelled if o.submission.case_id not in known)
        ends = [replace(o, outcome="cancelled", why=why, told_by="submit.py") for o in gone]
        self._note([_ending(replace(o, state=None, reason="")) for o in ends])

    def _newest(self, tried: list[Attempt]) -> Attempt:
        """The last attempt; but one that Slurm still has, though it be older or noted as ended."""
        living = [a for a in tried if self.witness.has_alive(a)]
        newest = (living or tried)[-1]
        is_open = living or self.witness.knows_more(newest)
        return Attempt(newest.submission) if is_open else newest

    def _earlier(
        self, attempts: dict[str, list[Attempt]], newest: dict[str, Attempt]
    ) -> dict[str, list[Attempt]]:
        """Return what else lives of each case: two submissions at once, without a lock, do that."""
        found: dict[str, list[Attempt]] = defaultdict(list)
        for case_id, tried in attempts.items():
            batch = newest[case_id].submission.batch
            found[case_id] += [
                a for a in tried if a.submission.batch != batch and self.witness.has_alive(a)
            ]
        return {case_id: alive for case_id, alive in found.items() if alive}

    def _with_what_is_known_besides(self, seen: Observation) -> Observation:
        """Return the observation with what the folder tells of a job that left no result."""
        if seen.outcome in (None, "ok"):
            return seen
        if self._has_moved_since(seen.submission) and seen.is_news:
            seen = replace(seen, why=f"{seen.why}; {_went_to(seen.submission)}")
        is_kept = is_measured(self.store.result_path(seen.submission.case))
        return replace(seen, has_earlier_result=is_kept)

    def _has_moved_since(self, submission: Submission) -> bool:
        """Return whether the folder was somewhere else, or is the copy of one, when this began."""
        batch = submission.batch
        return bool(batch) and not batch.startswith(self.store.token)

    def _notes_of_a_move(self, observations: list[Observation]) -> list[str]:
        """Return what to do where jobs write their results to where this folder was."""
        ours = [o for o in observations if o.is_live and o.is_marked]
        away = [o.submission for o in ours if self._has_moved_since(o.submission)]
        if not away:
            return []
        jobs = " ".join(submission.job_id for submission in away)
        old = folder_of(away[0])
        copy = shlex.join(["cp", "-rn", "--", f"{old}/.", f"{self.store.folder}/"])
        return [
            f"{self.store.folder} was moved or copied from {old}, where the jobs {jobs} still "
            f"write: wait for them and copy their results ({copy}), or end them (scancel {jobs})"
        ]

    def _adopt(self, events: list[Event], broken: int) -> list[Submission]:
        known = {(e.batch, e.case_id) for e in events if isinstance(e, Submission)}
        return adopt(self.store, self.witness.queue, known, thorough=broken > 0)

    def _observe(self, latest: list[Attempt]) -> list[Observation]:
        results = {
            attempt.submission.case_id: result
            for attempt in latest
            if (result := self._result_of(attempt)) is not None
        }
        ours = [a.submission for a in latest if a.ended is None]
        asked = [s for s in ours if s.executor == "slurm" and self.witness.knows(s)]
        told = {case_id for case_id, result in results.items() if not knows_no_cause(result)}
        jobs = self.witness.find(asked, settled=told)
        observations = [
            judge(
                attempt,
                results.get(attempt.submission.case_id),
                jobs.get(attempt.submission.case_id),
                self.store,
                self.witness,
                self.result_wait_s,
            )
            for attempt in latest
        ]
        return [self._with_what_is_known_besides(seen) for seen in observations]

    def _result_of(self, attempt: Attempt) -> Result | ResultError | None:
        """The result of this very attempt; an error where a file is there that is none."""
        try:
            return result_of(self.store, attempt.submission)
        except ResultError as error:
            return error
        except OSError as error:
            return ResultError(f"cannot be read: {error.strerror}")

    def _note(self, events: Iterable[Event]) -> None:
        if events := list(events):
            with suppress(OSError):  # a folder that cannot be written can still be looked at
                append(self.store.submissions, *events)

    def _put_aside(self, overruling: Iterable[Observation]) -> None:
        """Move away results that would speak before the ledger, which knows more."""
        for observation in overruling:
            put_result_aside(self.store, observation.submission)

    def _notes(self, broken: int, found: int) -> list[str]:
        if not broken:
            return []
        return [
            f"{self.store.submissions}: lines that cannot be read: {broken}; jobs found again in "
            f"the queue and the batches: {found}"
        ]


def folder_of(submission: Submission) -> Path:
    """Return the folder that a job was submitted into, which may have been moved since."""
    return Path(submission.log).parent.parent


def _went_to(submission: Submission) -> str:
    return f"if it left a result, then in {folder_of(submission)}, where this folder was"


def _ending(observation: Observation) -> Ended:
    submission = observation.submission
    assert observation.outcome is not None
    return Ended(
        case_id=submission.case_id,
        job_id=submission.job_id,
        batch=submission.batch,
        outcome=observation.outcome,
        state=observation.state,
        reason=observation.why,
        nodes=observation.nodes if are_nodes(observation.nodes) else "",
        elapsed_s=observation.elapsed_s,
        told_by=observation.told_by,
        seen_at=now(),
        state_reason=observation.reason,
    )


def _with(attempts: dict[str, list[Attempt]], endings: list[Ended]) -> dict[str, list[Attempt]]:
    ends = {(ended.case_id, ended.batch): ended for ended in endings}
    return {
        case_id: [replace(a, ended=ends.get((case_id, a.submission.batch), a.ended)) for a in tried]
        for case_id, tried in attempts.items()
    }
