"""The processes of local jobs: whether they are alive, and what their end means."""

import os
import socket
from dataclasses import replace
from pathlib import Path

from jobs.executor import Cancellation, Poller
from jobs.status.case_status import CaseStatus, Snapshot
from study.storage.ledger import Submission


def process_name(pid: int) -> str:
    """Return the id of a local job: its host and process."""
    return f"{socket.gethostname()}:{pid}"


def is_alive(submission: Submission) -> bool | None:
    """Return whether the worker runs; None if it is on another machine, where nobody sees it."""
    host, _, pid = submission.job_id.rpartition(":")
    if host != socket.gethostname():
        return None
    if not submission.batch:  # of an earlier version, which named no batch
        return False
    try:
        return submission.batch.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return _answers(int(pid)) if not Path("/proc/self").exists() else False


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class LocalPoller(Poller):
    """Follows the processes of local jobs on this machine."""

    def refresh(self) -> None:
        """Ask nobody: each process is looked at when it is needed."""

    def update(self, statuses: list[CaseStatus], result_wait_s: float) -> list[CaseStatus]:
        """Return the cases with the state of their processes."""
        return [_update(status) for status in statuses]

    def cancel(self, asked: list[CaseStatus], snapshot: Snapshot, token: str) -> Cancellation:
        """Cancel nothing: a local job ends with the submit.py that runs it."""
        reason = "running without Slurm: end submit.py there"
        ids = " ".join(status.submission.job_id for status in asked if status.is_live)
        return Cancellation([], [], [f"not cancelled: {ids}: {reason}"] if ids else [])


def _update(seen: CaseStatus) -> CaseStatus:
    alive = is_alive(seen.submission)
    if alive is None:
        return replace(seen, is_live=True, is_stuck=True, reason="runs on another machine")
    if alive:
        return replace(seen, state="RUNNING", is_live=True)
    if seen.outcome is not None:
        return replace(seen, is_news=True)
    why = "its process is gone and left no result; submit.py was killed, or the machine went down"
    return replace(seen, outcome="lost", why=why, is_news=True)
