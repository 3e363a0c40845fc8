"""Slurm's words for the state of a job, and what the final ones mean."""

import re

from study.outcome import Outcome

# https://slurm.schedmd.com/job_state_codes.html
FINAL: dict[str, Outcome] = {
    "BOOT_FAIL": "node_failed",
    "CANCELLED": "cancelled",
    "COMPLETED": "lost",  # without a result; with one, the result says how it ended
    "DEADLINE": "timeout",
    "FAILED": "error",
    "NODE_FAIL": "node_failed",
    "OUT_OF_MEMORY": "oom_host",
    "PREEMPTED": "preempted",
    "REVOKED": "cancelled",
    "TIMEOUT": "timeout",
}
LIVE = (
    *("COMPLETING", "CONFIGURING", "PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD"),
    *("RESIZING", "RESV_DEL_HOLD", "RUNNING", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT"),
    *("STOPPED", "SUSPENDED"),
)
# Reasons with which a job waits for a person: it would stay pending for ever.
LAUNCH_FAILED = "launch failed requeued held"
STUCK = (
    *(LAUNCH_FAILED, "JobHeldUser", "JobHeldAdmin", "BadConstraints", "DependencyNeverSatisfied"),
    *("PartitionTimeLimit", "PartitionNodeLimit", "InvalidAccount", "InvalidQOS"),
    *("AssociationTimeLimit", "QOSTimeLimit", "ReservationDeleted", "JobHoldMaxRequeue"),
    *("QOSMinCpuNotSatisfied", "MaxMemPerLimit", "AccountNotAllowed", "QOSNotAllowed"),
    "job requeued in held state",
)
# A limit for each job, which no other job's end will ever make room in.
OF_EACH_JOB = re.compile(r"(QOS|Assoc)Max\w+Per(Job|Node)(Limit)?")


def exact_state(word: str) -> str:
    """Return the state that is meant by a spelling of sacct or squeue.

    sacct says `CANCELLED by 1000` and cuts columns off, as in `OUT_OF_ME+`. What is no known state
    comes back as it is.
    """
    first = (word.split() or [""])[0]
    if not first.endswith("+"):
        return first
    matching = [state for state in (*FINAL, *LIVE) if state.startswith(first[:-1])]
    return matching[0] if len(matching) == 1 else first


def is_stuck(state: str | None, reason: str) -> bool:
    """Return whether the job will never start unless a person does something."""
    if state in ("REQUEUE_HOLD", "SPECIAL_EXIT"):
        return True
    is_known = reason.replace("_", " ") in {r.replace("_", " ") for r in STUCK}
    return state == "PENDING" and (is_known or OF_EACH_JOB.fullmatch(reason) is not None)
