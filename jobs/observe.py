"""Where every case stands: its result, then Slurm's word, then what its job left on disk."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from jobs.adoption import adopt, orphans
from jobs.judge import Observation, judge
from jobs.witness import Witness
from study.result import Result
from study.result_file import ResultError, read_result
from study.store import Store, now
from study.submissions import Attempt, Ended, Event, Submission, append, attempts_of_each_case, read


@dataclass(frozen=True)
class View:
    """Every submitted case at one time, by case id.

    Attributes:
        attempts: all attempts at a case, oldest first.
        orphans: ids of queued jobs of ours that name a batch file that is gone.
        notes: what a person should know, e.g. that Slurm does not answer.
    """

    observations: dict[str, Observation] = field(default_factory=dict)
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Observer:
    """Looks at one results folder, again and again.

    Args:
        witness: Slurm, asked by whoever looks, once for all folders; not at all if none needs it.
        record: write what ended, and what was adopted, into the ledger; False only looks.
    """

    def __init__(self, store: Store, witness: Witness, record: bool = True) -> None:
        self.store = store
        self.witness = witness
        self.record = record

    def look(self) -> View:
        """Judge every case by what Slurm said last."""
        events, broken = read(self.store.submissions)
        adopted = self._adopt(events, broken)
        attempts = attempts_of_each_case([*events, *adopted])
        observations = self._observe([self._newest(tried) for tried in attempts.values()])
        endings = [_ending(o) for o in observations if o.is_news]
        if self.record:
            self._put_aside(o for o in observations if o.overrules)
            self._note([*adopted, *endings])
        return View(
            observations={o.submission.case_id: o for o in observations},
            attempts=_with(attempts, endings),
            orphans=[job.job_id for job in orphans(self.store, self.witness.queue)],
            notes=self._notes(broken, len(adopted)),
        )

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
        jobs = self.witness.find(asked, settled=set(results))
        return [
            judge(
                attempt,
                results.get(attempt.submission.case_id),
                jobs.get(attempt.submission.case_id),
                self.store,
                self.witness,
            )
            for attempt in latest
        ]

    def _result_of(self, attempt: Attempt) -> Result | ResultError | None:
        """The result of this very attempt; an error where a file is there that is none."""
        submission = attempt.submission
        try:
            result = read_result(self.store.result_path(submission.case))
        except FileNotFoundError:
            return None
        except ResultError as error:
            return error
        except OSError as error:
            return ResultError(f"cannot be read: {error.strerror}")
        return result if result.job.submitted_at == submission.submitted_at else None

    def _note(self, events: Iterable[Event]) -> None:
        if events := list(events):
            with suppress(OSError):  # a folder that cannot be written can still be looked at
                append(self.store.submissions, *events)

    def _put_aside(self, overruling: Iterable[Observation]) -> None:
        """Move away results that would speak before the ledger, which knows more."""
        for observation in overruling:
            with suppress(OSError):
                self.store.put_aside(observation.submission.case)

    def _notes(self, broken: int, found: int) -> list[str]:
        if not broken:
            return []
        return [
            f"{self.store.submissions}: lines that cannot be read: {broken}; jobs found again in "
            f"the queue and the batches: {found}"
        ]


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
        nodes=observation.nodes,
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
