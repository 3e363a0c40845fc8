"""Lanes: so many jobs at a time, whatever they look like, each waiting for the one before it.

Slurm limits the elements of one array, and nothing else that a user could set.
"""

from collections import deque
from collections.abc import Sequence


class Lanes:
    """Which jobs the next one waits for to end.

    Args:
        most: how many may run at a time; None is no limit.
        running: ids of jobs that run already, or will, and count.
        arrays: ids of such arrays, which take all lanes.
    """

    def __init__(
        self, most: int | None, running: Sequence[str] = (), arrays: Sequence[str] = ()
    ) -> None:
        self._lanes: deque[list[str]] | None = None
        if most is not None and (arrays or len(running) > most):
            # Which of them follow which is not known here: all of them end first.
            self._lanes = deque([*arrays, *running] for _ in range(most))
        elif most is not None:
            self._lanes = deque(list(running[lane : lane + 1]) for lane in range(most))
            self._lanes.rotate(-len(running))  # the next is a lane without a job

    def next(self) -> list[str]:
        """Return the ids of the jobs that end before the next one begins."""
        return list(self._lanes[0]) if self._lanes else []

    def put(self, job_id: str) -> None:
        """Take the job as the last one of its lane."""
        if self._lanes:
            self._lanes[0] = [job_id]
            self._lanes.rotate(-1)
