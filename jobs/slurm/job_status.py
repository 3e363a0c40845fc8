"""Turn Slurm's word on a job into the status of its case, and say whether it may be cancelled."""

from collections import defaultdict
from dataclasses import replace

import msgspec

from jobs.job_log import NOT_WRITTEN, find_cause, last_line
from jobs.slurm.exit_cause import classify_exit, classify_stuck, may_have_result, root_cause
from jobs.slurm.queue import SlurmJob
from jobs.slurm.states import FINAL, is_stuck
from jobs.status.case_status import CaseStatus, Snapshot, folder_of
from study.storage.ledger import Submission

NOT_MARKED = (
    "neither its script nor its comment names this folder, so that it may be another job: look at "
    "it with scontrol show job, and scancel it yourself"
)


def describe_gone(seen: CaseStatus, was_dropped: bool, accounting_answers: bool) -> CaseStatus:
    """Return the status of a case whose job Slurm does not know any more.

    Args:
        seen: the case by its result and the ledger.
        was_dropped: Slurm knows the job's array, and not this element.
        accounting_answers: sacct has answered, so that nobody will ever know more.
    """
    if seen.outcome is not None:
        return replace(seen, is_news=True)
    outcome, why = classify_exit(None, find_cause(seen.log), last_line(seen.log))
    if was_dropped and accounting_answers and not seen.log.exists():
        outcome, why = "cancelled", "Slurm dropped it from its array before it started"
    if outcome == "lost" and not accounting_answers:
        # It may answer later, so this is not written down.
        return replace(seen, outcome=outcome, why=f"{why}; sacct does not answer")
    return replace(seen, outcome=outcome, why=_with_progress(why, seen), is_news=True)


def describe_shown(
    seen: CaseStatus, job: SlurmJob, clock_s: float | None, result_wait_s: float
) -> CaseStatus:
    """Return the status of a case whose job Slurm knows.

    Args:
        seen: the case by its result and the ledger.
        job: Slurm's word.
        clock_s: Slurm's clock, in seconds since 1970.
        result_wait_s: how long a result may take to be seen from here after its job has ended.
    """
    is_awaited = seen.result is None and _may_come(job, seen, clock_s, result_wait_s)
    seen = replace(
        seen,
        # Slurm's own id of what bears our mark, whatever sbatch was understood to have said.
        submission=msgspec.structs.replace(
            seen.submission, job_id=job.job_id if job.batch else seen.submission.job_id
        ),
        is_marked=job.batch is not None,
        state=job.state,
        reason=job.reason,
        nodes=job.nodes,
        elapsed_s=job.elapsed_s,
        told_by=job.told_by,
    )
    if not job.is_final:
        return _live(seen)
    if is_awaited:
        return replace(seen, is_live=True, reason="waiting for its result")
    if seen.outcome is not None:
        return replace(seen, is_news=True)
    outcome, why = classify_exit(job, find_cause(seen.log), last_line(seen.log))
    return replace(seen, outcome=outcome, why=_with_progress(why, seen), is_news=True)


def root_cause_of(seen: CaseStatus, job: SlurmJob | None) -> CaseStatus:
    """Return the status with the reason for which a rank fell silent, where it is known."""
    cause = root_cause(job, find_cause(seen.log), seen.why)
    return replace(seen, outcome=cause[0], why=cause[1], overrules=True) if cause else seen


def _may_come(job: SlurmJob, seen: CaseStatus, clock_s: float | None, result_wait_s: float) -> bool:
    """Return whether the job may have left a result that a shared file system does not show yet.

    Both times are Slurm's: the clocks of the nodes and of this machine may differ.
    """
    if clock_s is None or job.ended_s is None or not job.is_final:
        return False
    if clock_s >= job.ended_s + result_wait_s:
        return False
    cause = find_cause(seen.log)
    has_refused = cause is not None and cause.line.startswith(NOT_WRITTEN)
    return not has_refused and may_have_result(job, seen.submission.case.in_processes)


def _with_progress(why: str, seen: CaseStatus) -> str:
    return f"{why}; last seen at {seen.progress}" if seen.progress is not None else why


def _live(seen: CaseStatus) -> CaseStatus:
    stuck = is_stuck(seen.state, seen.reason)
    cause = classify_stuck(seen.reason) if stuck else None
    if cause is not None and seen.outcome is None:
        seen = replace(seen, outcome=cause[0], why=cause[1])
    return replace(seen, is_live=True, is_stuck=stuck)


def to_cancel(asked: list[CaseStatus], snapshot: Snapshot, token: str) -> list[Submission]:
    """Return every job of these cases that Slurm shows queued or running, whichever attempt it is.

    Args:
        asked: the cases.
        snapshot: all cases of the folder.
        token: the mark of the folder, so that no reused id and no copied folder hits another job.
    """
    newest = [o.submission for o in asked if _is_alive(o) and o.is_marked]
    earlier = [a.submission for o in asked for a in snapshot.earlier.get(o.submission.case_id, [])]
    return [s for s in (*newest, *earlier) if s.batch.startswith(token)]


def left_alone(asked: list[CaseStatus], token: str) -> list[str]:
    """Return why live jobs of these cases are not cancelled, in one line for each reason."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for seen in asked:
        submission = seen.submission
        if _is_alive(seen) and not submission.batch.startswith(token):
            old = folder_of(submission)
            reasons[f"submitted into {old}, and this may be a copy of it"].append(submission.job_id)
        elif _is_alive(seen) and not seen.is_marked:
            reasons[NOT_MARKED].append(submission.job_id)
        elif seen.is_live and seen.state is None:
            reasons[seen.reason].append(submission.job_id)
    return [f"not cancelled: {' '.join(jobs)}: {reason}" for reason, jobs in reasons.items()]


def _is_alive(seen: CaseStatus) -> bool:
    return seen.is_live and seen.state is not None and seen.state not in FINAL
