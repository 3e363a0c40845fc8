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
        record: write what ended, and what was adopted, into the ledger; False only looks.
    """

    def __init__(self, store: Store, on_slurm: bool, record: bool = True) -> None:
        self.store = store
        self.witness = Witness()
        self.on_slurm = on_slurm
        self.record = record

    def look(self) -> View:
        """Ask once and judge every case."""
        events, broken = read(self.store.submissions)
        if self.on_slurm:
            self.witness.refresh()
        adopted = self._adopt(events, broken)
        attempts = attempts_of_each_case([*events, *adopted])
        observations = self._observe([tried[-1] for tried in attempts.values()])
        endings = [_ending(o) for o in observations if o.is_news]
        if self.record:
            self._note([*adopted, *endings])
        return View(
            observations={o.submission.case_id: o for o in observations},
            attempts=_with(attempts, endings),
            orphans=[job.job_id for job in orphans(self.store, self.witness.queue)],
            notes=self._notes(broken),
        )

    def note_cancelled(self, observations: Iterable[Observation]) -> None:
        """Write down that these were cancelled by our own hand before they started."""
        why = "cancelled with --cancel before it started"
        ours = (o for o in observations if o.submission.batch.startswith(self.store.token))
        cancelled = [
            replace(o, outcome="cancelled", why=why, state=None, told_by="submit.py") for o in ours
        ]
        self._note([_ending(observation) for observation in cancelled])

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
        except ResultError as error:
            return error
        except OSError:
            return None
        return result if result.job.submitted_at == submission.submitted_at else None

    def _note(self, events: Iterable[Event]) -> None:
        if events := list(events):
            with suppress(OSError):  # a folder that cannot be written can still be looked at
                append(self.store.submissions, *events)

    def _notes(self, broken: int) -> list[str]:
        notes = []
        if self.witness.problem:
            notes.append(f"{self.witness.problem}; shown is what lies on disk")
        if broken:
            notes.append(
                f"{self.store.submissions}: lines that cannot be read: {broken}; their jobs were "
                "found again in the queue, the batches and the results"
            )
        return notes


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
    for ended in endings:
        tried = attempts[ended.case_id]
        tried[-1] = Attempt(tried[-1].submission, ended)
    return attempts
