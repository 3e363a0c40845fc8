"""One case's standing, from all that is known of its newest attempt."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from jobs.job_log import NOT_WRITTEN, last_line, trace_in
from jobs.local.process import is_alive
from jobs.slurm.exit_cause import cause_of_loss, may_have_result, verdict_of, verdict_of_stuck
from jobs.slurm.poller import Witness
from jobs.slurm.queue import SlurmJob
from jobs.slurm.states import is_stuck
from study.outcome import Outcome
from study.results.file import ResultError
from study.results.result import Result
from study.storage.ledger import Attempt, Ended, Submission, log_of
from study.storage.progress import Progress, read_progress
from study.storage.store import Store


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Where a case stands.

    Attributes:
        state: Slurm's word (RUNNING for a local process); None where nobody says.
        reason: Slurm's reason for the state.
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
    outcome: Outcome | None = None
    why: str = ""
    is_live: bool = False
    is_stuck: bool = False
    is_news: bool = False
    overrules: bool = False
    has_earlier_result: bool = False
    told_by: Literal["squeue", "scontrol", "sacct", "disk", "submit.py"] = "disk"


def judge(
    attempt: Attempt,
    result: Result | ResultError | None,
    job: SlurmJob | None,
    store: Store,
    witness: Witness,
    result_wait_s: float,
) -> Observation:
    """Return where the attempt stands: what the ledger says for good, else result, Slurm, disk.

    Args:
        result_wait_s: how long a result may take to be seen from here after its job has ended.
    """
    submission = attempt.submission
    # A job that ends well takes its last words with it.
    progress = read_progress(store.progress_path(submission.case, submission.batch))
    log = log_of(submission, store)
    if attempt.ended is not None:
        seen = _from_ledger(submission, attempt.ended, result)
        return replace(seen, profile=store.profile, log=log, progress=progress)
    seen = Observation(submission=submission, profile=store.profile, log=log, progress=progress)
    if (said := _said_by(result)) is not None:
        seen = replace(seen, outcome=said[0], why=said[1])
    if submission.executor == "local":
        return _local(seen)
    is_told = result is not None and not knows_no_cause(result)
    if witness.problem is not None:
        # Where no Slurm is installed, it will never be seen to end.
        stuck = witness.is_absent
        return replace(seen, is_live=True, is_stuck=stuck, reason="Slurm does not answer")
    if not witness.knows(submission):
        if is_told:
            return replace(seen, is_news=True)
        return replace(
            seen,
            is_live=True,
            is_stuck=True,  # from here it will never be seen to end
            reason=f"ask on {submission.cluster} as {submission.user}",
        )
    if job is None and not is_told and witness.will_ask(submission):
        return replace(seen, is_live=True, reason="sacct will be asked")
    if job is None:
        seen = _gone(seen, witness)
    else:
        is_awaited = result is None and _may_come(job, seen, witness, result_wait_s)
        seen = _with_slurm(seen, job, is_awaited)
    return _with_cause(seen, job) if knows_no_cause(result) and seen.is_news else seen


def knows_no_cause(result: Result | ResultError | None) -> bool:
    """Return whether all that a result tells is that a rank fell silent: Slurm may know why."""
    return isinstance(result, Result) and result.lost_a_rank


def _may_come(job: SlurmJob, seen: Observation, witness: Witness, result_wait_s: float) -> bool:
    """Return whether the job may have left a result that a shared file system does not show yet.

    Both times are Slurm's: the clocks of the nodes and of this machine may differ.
    """
    if witness.clock_s is None or job.ended_s is None or not job.is_final:
        return False
    if witness.clock_s >= job.ended_s + result_wait_s:
        return False
    trace = trace_in(seen.log)
    has_refused = trace is not None and trace.line.startswith(NOT_WRITTEN)
    return not has_refused and may_have_result(job, seen.submission.case.in_processes)


def _with_cause(seen: Observation, job: SlurmJob | None) -> Observation:
    cause = cause_of_loss(job, trace_in(seen.log), seen.why)
    return replace(seen, outcome=cause[0], why=cause[1], overrules=True) if cause else seen


def _said_by(result: Result | ResultError | None) -> tuple[Outcome, str] | None:
    if result is None:
        return None
    if isinstance(result, ResultError):
        return "error", f"its result file {result}"
    return result.outcome, result.why_failed or ""


def _from_ledger(
    submission: Submission, ended: Ended, result: Result | ResultError | None
) -> Observation:
    outcome, why = _said_by(result) or (ended.outcome, ended.reason)
    if result is None and ended.outcome == "ok":
        outcome, why = "lost", "it was measured, but its result file is gone"
    return Observation(
        submission=submission,
        state=ended.state,
        reason=ended.state_reason,
        nodes=ended.nodes,
        elapsed_s=ended.elapsed_s,
        outcome=outcome,
        why=why,
        told_by=ended.told_by,
    )


def _local(seen: Observation) -> Observation:
    alive = is_alive(seen.submission)
    if alive is None:
        return replace(seen, is_live=True, is_stuck=True, reason="runs on another machine")
    if alive:
        return replace(seen, state="RUNNING", is_live=True)
    if seen.outcome is not None:
        return replace(seen, is_news=True)
    why = "its process is gone and left no result; submit.py was killed, or the machine went down"
    return replace(seen, outcome="lost", why=why, is_news=True)


def _gone(seen: Observation, witness: Witness) -> Observation:
    """Slurm does not know the job any more."""
    if seen.outcome is not None:
        return replace(seen, is_news=True)
    outcome, why = verdict_of(None, trace_in(seen.log), last_line(seen.log))
    dropped = not seen.log.exists() and witness.has_dropped(seen.submission)
    if dropped and witness.accounting_answers:
        outcome, why = "cancelled", "Slurm dropped it from its array before it started"
    if outcome == "lost" and not witness.accounting_answers:
        # It may answer later, so this is not written down.
        return replace(seen, outcome=outcome, why=f"{why}; sacct does not answer")
    return replace(seen, outcome=outcome, why=_with_last_words(why, seen), is_news=True)


def _with_last_words(why: str, seen: Observation) -> str:
    return f"{why}; last seen at {seen.progress}" if seen.progress is not None else why


def _with_slurm(seen: Observation, job: SlurmJob, is_awaited: bool) -> Observation:
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
    outcome, why = verdict_of(job, trace_in(seen.log), last_line(seen.log))
    return replace(seen, outcome=outcome, why=_with_last_words(why, seen), is_news=True)


def _live(seen: Observation) -> Observation:
    stuck = is_stuck(seen.state, seen.reason)
    verdict = verdict_of_stuck(seen.reason) if stuck else None
    if verdict is not None and seen.outcome is None:
        seen = replace(seen, outcome=verdict[0], why=verdict[1])
    return replace(seen, is_live=True, is_stuck=stuck)
