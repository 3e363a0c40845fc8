"""What travels to a job, and what the ledger keeps of it; the same for every executor."""

from pathlib import Path

from jobs.plan import Item
from jobs.profile import Profile
from jobs.worker import Assignment
from study.store import Store
from study.submissions import Submission, append


def assign(item: Item, profile: Profile, store: Store, submitted_at: str) -> str:
    """The assignment of a case, as the JSON text that `jobs.worker.run` takes."""
    return Assignment(
        case=item.case,
        device=profile.device,
        executor=profile.executor,
        results=str(store.folder.parent),
        profile=profile.name,
        submitted_at=submitted_at,
    ).as_json()


def note_submission(
    item: Item, profile: Profile, store: Store, submitted_at: str, job_id: str, log: Path
) -> Submission:
    """Write the submission into the ledger."""
    submission = Submission(
        case=item.case,
        case_id=item.case.case_id,
        grid=item.grid,
        overrides=item.overrides,
        executor=profile.executor,
        job_id=job_id,
        job_name=item.case.job_name,
        log=str(log),
        requested_gpus=item.case.gpus,
        timeout_min=profile.timeout_min,
        submitted_at=submitted_at,
    )
    append(store.submissions, submission)
    return submission
