"""Cancelling the jobs of some cases, and no others."""

from collections import defaultdict

from jobs.slurm.commands import ask
from jobs.slurm.poller import Witness
from jobs.slurm.states import FINAL
from jobs.status.case_status import Observation
from jobs.status.tracker import View, folder_of
from study.errors import ConfigError
from study.storage.ledger import Submission

NOT_MARKED = (
    "neither its script nor its comment names this folder, so that it may be another job: look at "
    "it with scontrol show job, and scancel it yourself"
)


def cancel(submissions: list[Submission], witness: Witness) -> list[Submission]:
    """Cancel those of these jobs that Slurm lists as ours at this moment, and return them.

    Raises:
        ConfigError: scancel fails; in its own words.
    """
    witness.refresh()
    listed = witness.listed(submissions)
    ids = joined(listed)
    if ids and (done := ask("scancel", *ids)).returncode != 0:
        raise ConfigError("scancel", f"{done.stderr.strip()}; see which jobs remain with --status")
    return listed


def to_cancel(asked: list[Observation], view: View, token: str) -> list[Submission]:
    """Return every job of these cases that Slurm shows queued or running, whichever attempt it is.

    Args:
        token: the mark of the results folder: neither an id that was given anew nor a copied
            folder hits another job.
    """
    newest = [o.submission for o in asked if _is_alive(o) and o.is_marked]
    earlier = [a.submission for o in asked for a in view.earlier.get(o.submission.case_id, [])]
    return [s for s in (*newest, *earlier) if s.batch.startswith(token)]


def left_alone(asked: list[Observation], token: str) -> list[str]:
    """Return why live jobs of these cases are not cancelled, in one line for each reason."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for seen in asked:
        submission = seen.submission
        if _is_alive(seen) and not submission.batch.startswith(token):
            old = folder_of(submission)
            reasons[f"submitted into {old}, and this may be a copy of it"].append(submission.job_id)
        elif _is_alive(seen) and not seen.is_marked:
            reasons[NOT_MARKED].append(submission.job_id)
        elif seen.is_live and submission.executor == "local":
            reasons["running without Slurm: end submit.py there"].append(submission.job_id)
        elif seen.is_live and seen.state is None:
            reasons[seen.reason].append(submission.job_id)
    return [f"not cancelled: {' '.join(jobs)}: {reason}" for reason, jobs in reasons.items()]


def _is_alive(seen: Observation) -> bool:
    is_of_slurm = seen.submission.executor == "slurm"
    return is_of_slurm and seen.is_live and seen.state is not None and seen.state not in FINAL


def joined(submissions: list[Submission]) -> list[str]:
    """Their job ids, with the elements of each array in one: 17_1 and 17_3 are 17_[1,3]."""
    arrays: dict[str, list[Submission]] = defaultdict(list)
    for submission in submissions:
        arrays[submission.array].append(submission)
    return [
        f"{array}_[{','.join(str(s.index) for s in members)}]" if members[0].is_element else array
        for array, members in arrays.items()
    ]
