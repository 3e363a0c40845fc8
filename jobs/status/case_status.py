"""The status of one case, and of all cases of a folder at one time."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from jobs.status.results import ResultFiles, ResultHead
from study.outcome import Outcome
from study.storage.ledger import Attempt, Ended, Submission, are_nodes
from study.storage.progress import Progress
from study.storage.store import now


@dataclass(frozen=True, kw_only=True)
class CaseStatus:
    """The status of a case.

    Attributes:
        state: Slurm's word (RUNNING for a local process); None where nobody says.
        reason: Slurm's reason for the state.
        result: what the attempt's result file says.
        outcome: our word; None while the job has not ended, or nobody can tell yet.
        why: the outcome in words.
        is_live: the job may still run or come to run, so that no second one may be started.
        is_stuck: it will never start unless a person does something.
        is_news: it has ended for good, and the ledger does not know yet.
        overrules: its result says less of its end than this does, and gives way.
        has_earlier_result: the case was measured by an attempt before, and that result counts.
        log: where the job's log lies, in this folder.
        is_marked: Slurm shows the job with its batch's name, which no ledger that was sent can
            forge; only such a job is ever ended or changed.
    """

    submission: Submission
    profile: str = ""
    log: Path = Path()
    is_marked: bool = False
    state: str | None = None
    reason: str = ""
    nodes: str = ""
    elapsed_s: int | None = None
    progress: Progress | None = None
    result: ResultHead | None = None
    outcome: Outcome | None = None
    why: str = ""
    is_live: bool = False
    is_stuck: bool = False
    is_news: bool = False
    overrules: bool = False
    has_earlier_result: bool = False
    told_by: str = "disk"

    @property
    def has_own_cause(self) -> bool:
        """True if its result says how it ended, and not only that a rank fell silent."""
        return self.result is not None and not self.result.lost_a_rank

    def ended(self) -> Ended:
        """Return the ledger's line of this end."""
        assert self.outcome is not None
        return Ended(
            case_id=self.submission.case_id,
            job_id=self.submission.job_id,
            batch=self.submission.batch,
            outcome=self.outcome,
            state=self.state,
            reason=self.why,
            nodes=self.nodes if are_nodes(self.nodes) else "",
            elapsed_s=self.elapsed_s,
            told_by=self.told_by,
            seen_at=now(),
            state_reason=self.reason,
        )


@dataclass(frozen=True)
class Snapshot:
    """Every submitted case at one time, by case id.

    Attributes:
        attempts: all attempts at a case, oldest first.
        endings: all ends that were seen, in that order.
        earlier: attempts before the newest that are still alive, of each case that has any.
        orphans: ids of queued jobs of ours that name a batch file that is gone.
        batches: the batches that the ledger names.
        broken_lines: how many lines of the ledger cannot be read.
    """

    statuses: dict[str, CaseStatus] = field(default_factory=dict)
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    endings: list[Ended] = field(default_factory=list)
    earlier: dict[str, list[Attempt]] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    results: ResultFiles = field(default_factory=ResultFiles)
    batches: set[str] = field(default_factory=set)
    broken_lines: int = 0


def folder_of(submission: Submission) -> Path:
    """Return the folder that a job was submitted into, which may have been moved since."""
    return Path(submission.log).parent.parent


def join_ids(submissions: list[Submission]) -> list[str]:
    """Return the job ids, with the elements of each array in one: 17_1 and 17_3 are 17_[1,3]."""
    arrays: dict[str, list[Submission]] = defaultdict(list)
    for submission in submissions:
        arrays[submission.array].append(submission)
    return [
        f"{array}_[{','.join(str(s.index) for s in members)}]" if members[0].is_element else array
        for array, members in arrays.items()
    ]
