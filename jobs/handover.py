"""What travels to a job, and what gives way to it; the same for every executor."""

import secrets
from pathlib import Path

from jobs.batch import Assignment
from jobs.plan import Item
from jobs.profile import Profile
from jobs.site import meeting_of
from jobs.slurm.commands import clock_in, me
from jobs.worker.output import is_measured
from study.storage.store import Store, now


def assign(
    batch: list[Item], name: str, profile: Profile, store: Store, config: dict[str, str]
) -> list[Assignment]:
    """Return what the jobs of this batch are to do, in the batch's order.

    Args:
        config: the settings of the Slurm they are submitted to; empty on this machine.
    """
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
            cluster=config.get("ClusterName"),
            submitted_at=now(),
            trace=item.trace,
            number=item.number,
            slurm_clock_s=clock_in(config),
            meeting=meeting_of(profile),
            secret=secrets.token_hex(32),
        )
        for item in batch
    ]


def make_way(batch: list[Item], store: Store) -> list[Path | None]:
    """Put old failures aside, and return where they are now; a measurement stays in its place."""
    return [
        None if is_measured(store.result_path(item.case)) else store.put_aside(item.case)
        for item in batch
    ]
