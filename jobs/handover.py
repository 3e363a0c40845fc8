"""What travels to a job, and what gives way to it; the same for every executor."""

from pathlib import Path

from jobs.batch import Assignment
from jobs.plan import Item
from jobs.profile import Profile
from jobs.slurm_commands import me
from study.store import Store, now


def assign(
    batch: list[Item], name: str, profile: Profile, store: Store, cluster: str | None
) -> list[Assignment]:
    """What the jobs of this batch are to do, in the batch's order."""
    return [
        Assignment(
            batch=name,
            case=item.case,
            grid=item.grid,
            overrides=item.overrides,
            device=profile.device,
            executor=profile.executor,
            results=str(store.folder.parent),
            profile=profile.name,
            timeout_min=profile.timeout_min,
            user=me(),
            cluster=cluster,
            submitted_at=now(),
            trace=item.trace,
        )
        for item in batch
    ]


def make_way(batch: list[Item], store: Store) -> list[Path | None]:
    """Put old results aside and forget what an earlier job last said; the results' new places."""
    for item in batch:
        store.progress_path(item.case).unlink(missing_ok=True)
    return [store.put_aside(item.case) for item in batch]
