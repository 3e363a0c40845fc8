"""A job's own facts, as its executor gives them to the job."""

from dataclasses import dataclass

from jobs.worker.meeting import Meeting


@dataclass(frozen=True)
class JobEnvironment:
    """A job of an executor that gives its jobs no facts; others subclass it.

    Attributes:
        index: the place of the job's case in its batch.
        attempt: which start of this job this is, from 1.
    """

    job_id: str | None = None
    index: int = 0
    attempt: int = 1
    nodes: int = 1
    allocated_gpus: int | None = None

    def become_rank(self, meeting: Meeting, secret: str) -> bool:
        """Make this process one of the case's ranks; False where ranks have yet to be started.

        Args:
            meeting: where the profile lets ranks meet.
            secret: the assignment's, from which the ranks' is derived.
        """
        return False
