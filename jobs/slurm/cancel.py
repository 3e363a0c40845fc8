"""Which jobs of some cases may be cancelled, and why others are left alone."""

from collections import defaultdict

from jobs.slurm.states import FINAL
from jobs.status.case_status import CaseStatus, Snapshot, folder_of
from study.storage.ledger import Submission

NOT_MARKED = (
    "neither its script nor its comment names this folder, so that it may be another job: look at "
    "it with scontrol show job, and scancel it yourself"
)


def to_cancel(asked: list[CaseStatus], snapshot: Snapshot, token: str) -> list[Submission]:
    """Return every job of these cases that Slurm shows queued or running, whichever attempt it is.

    Args:
        asked: the cases.
        snapshot: all cases of the folder.
        token: the mark of the results folder: neither an id that was given anew nor a copied
            folder hits another job.
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
