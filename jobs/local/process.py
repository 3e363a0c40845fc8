"""Whether the process of a local job is still there."""

import os
import socket
from pathlib import Path

from study.storage.ledger import Submission


def name_of_process(pid: int) -> str:
    """What a local job is called: host and process."""
    return f"{socket.gethostname()}:{pid}"


def is_alive(submission: Submission) -> bool | None:
    """Whether the worker runs; None where that cannot be seen, since it is on another machine."""
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
