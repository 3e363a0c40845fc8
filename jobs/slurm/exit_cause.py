"""Classify the end of a job that left no result, by Slurm's word and its log; never a guess."""

import signal

from jobs.job_log import LogCause
from jobs.slurm.queue import SlurmJob
from jobs.slurm.states import FINAL, LAUNCH_FAILED
from study.outcome import Outcome

ExitCause = tuple[Outcome, str]
# A log may sharpen Slurm's word: it says FAILED of a job that ran out of memory where cgroups do
# not count it, and CANCELLED of one that a node could not launch.
_SHARPER: dict[str, frozenset[Outcome]] = {
    "FAILED": frozenset({"oom_host", "error", "timeout", "node_failed", "preempted"}),
    "CANCELLED": frozenset({"oom_host", "node_failed", "timeout", "preempted"}),
    "COMPLETED": frozenset({"error", "oom_host"}),
}
_CAUSES: frozenset[Outcome] = frozenset({"oom_host", "timeout", "node_failed", "preempted"})
SIGKILL_HINT = "killed by SIGKILL; if its memory ran out, ask for more with mem_gb"
PYTHON_HINT = "; either this node lacks it, or the profile's python: is wrong"
# What Slurm gives as exit code of a job whose files, e.g. its log, its node cannot open.
NOT_LAUNCHED = "0:53"
OF_WORKER = "1:0"  # a worker that has written how its case failed ends so


def classify_exit(job: SlurmJob | None, cause: LogCause | None, last_words: str) -> ExitCause:
    """Return the outcome of a job that has ended and left no result, and why in words.

    Args:
        job: Slurm's last word, None where Slurm has forgotten the job.
        cause: the cause that the log names.
        last_words: the last line of the log, for an error that names itself nowhere else.
    """
    if job is None:
        if cause is None:
            return "lost", "Slurm has forgotten the job, and its log does not tell how it ended"
        hint = f" ({SIGKILL_HINT})" if cause.line.endswith("Killed") else ""
        return cause.outcome, f"Slurm has forgotten the job; its log says: {cause.line}{hint}"
    if was_not_launched(job):
        line = f"; its log says: {cause.line}" if cause and cause.outcome == "node_failed" else ""
        return "node_failed", f"Slurm says {_said(job)}{line}"
    outcome = FINAL[job.state]
    said = f"Slurm says {_said(job)}"
    if cause is not None and cause.outcome in _SHARPER.get(job.state, ()):
        hint = PYTHON_HINT if "execve()" in cause.line else ""
        return cause.outcome, f"{said}; its log says: {cause.line}{hint}"
    if job.state == "COMPLETED":
        return "lost", f"{said}, but there is no result"
    if outcome == "error" and last_words:
        return outcome, f"{said}; its log ends: {last_words}"
    return outcome, said


def was_not_launched(job: SlurmJob) -> bool:
    """Return whether its node could not even start it, by whatever Slurm calls that."""
    return job.state == "FAILED" and (
        job.reason == "JobLaunchFailure" or job.exit_code == NOT_LAUNCHED
    )


def may_have_result(job: SlurmJob, in_processes: bool) -> bool:
    """Return whether a job that has ended so may have written a result.

    A process that was killed has not; but of several, the first tells of the one that was.
    """
    if job.state == "COMPLETED":
        return True
    is_of_worker = in_processes or job.exit_code in (None, OF_WORKER)
    return job.state == "FAILED" and is_of_worker and not was_not_launched(job)


def root_cause(job: SlurmJob | None, cause: LogCause | None, result: str) -> ExitCause | None:
    """Return why a rank fell silent; None where neither Slurm nor the log knows.

    The ranks of a job that Slurm ends do not die at the same moment, and one that the kernel ends
    for its memory cannot say so.

    Args:
        job: Slurm's last word, None where Slurm has forgotten the job.
        cause: the cause that the log names.
        result: what the result says, which is not why.
    """
    outcome, why = classify_exit(job, cause, "")
    # srun's own end of a step that has lost a rank reads like that of a cancelled one.
    is_cancelled = outcome == "cancelled" and job is not None
    return (outcome, f"{why}; {result}") if outcome in _CAUSES or is_cancelled else None


def classify_stuck(reason: str) -> ExitCause | None:
    """Return the outcome of a pending job that will never start; None where a person decides."""
    if reason.replace("_", " ") == LAUNCH_FAILED:
        return "node_failed", f"Slurm could not launch it and holds it for ever ({reason})"
    return None


def _said(job: SlurmJob) -> str:
    # What a cancelled job waited for is no reason for its end.
    waited = job.state == "CANCELLED" and not job.nodes
    details = [job.reason] if job.reason and not waited else []
    if job.exit_code and job.exit_code != "0:0":
        hint = (
            SIGKILL_HINT if job.state == "FAILED" else "SIGKILL"
        )  # a cancelled one is killed, too
        details.append(f"exit code {job.exit_code}{_signal_in(job.exit_code, hint)}")
    where = f" on {job.nodes}" if job.nodes else ""
    return job.state + (f" ({', '.join(details)})" if details else "") + where


def _signal_in(exit_code: str, sigkill: str) -> str:
    """Return the signal in Slurm's `status:signal`; a shell says it as a status above 128."""
    status, _, number = exit_code.partition(":")
    try:
        name = signal.Signals(int(number) or int(status) - 128).name
    except ValueError:
        return ""
    return f", {sigkill}" if name == "SIGKILL" else f", {name}"
