"""A rank: one of a job's processes, of which each has a GPU.

A rank knows itself and the others by the variables that torchrun sets as well.
"""

import hmac
import io
import os
import sys
from typing import TextIO

from jobs.slurm.environment import attempt, job_id, nodes
from jobs.worker.meeting import CHOSEN, Meeting, NowhereToMeet, meeting_point

# For mp/rendezvous/meeting.py and secret.py, which have the same names: why ranks cannot meet, a
# second address of the first node, and what the ranks know one another by.
NOWHERE = "MPBENCH_NOWHERE"
FIRST_NODE = "MPBENCH_FIRST_NODE"
SECRET = "MPBENCH_SECRET"
OF_A_RANK = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
VARIABLES = frozenset(
    (*OF_A_RANK, "MASTER_ADDR", "MASTER_PORT", CHOSEN, NOWHERE, FIRST_NODE, SECRET)
)


def forget_outer_ranks() -> None:
    """Drop from this process's environment what other ranks left there, so that no job gets it."""
    for name in VARIABLES:
        os.environ.pop(name, None)


def become_rank(meeting: Meeting, secret: str) -> None:
    """Make this task of a Slurm step a rank, by what Slurm says of it.

    Args:
        meeting: where the profile lets ranks meet.
        secret: the assignment's; empty in a batch of an earlier version, and then no rank starts.
    """
    secret = _of_this_attempt(secret)
    try:
        address, port = meeting_point(meeting, secret)
        where = {"MASTER_ADDR": address, "MASTER_PORT": port}
    except NowhereToMeet as error:
        where = {NOWHERE: str(error)}
    tasks = int(os.environ.get("SLURM_NTASKS", 1))
    forget_outer_ranks()
    os.environ.update(
        where,
        RANK=os.environ.get("SLURM_PROCID", "0"),
        WORLD_SIZE=str(tasks),
        LOCAL_RANK=os.environ.get("SLURM_LOCALID", "0"),
        LOCAL_WORLD_SIZE=str(tasks // nodes()),
    )
    if secret:
        os.environ[SECRET] = secret
    if launched_at := os.environ.get("SLURM_LAUNCH_NODE_IPADDR"):
        os.environ[FIRST_NODE] = launched_at  # srun runs on the first node
    os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("SLURM_CPUS_PER_TASK", "1"))
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else a lost rank fills the log


def _of_this_attempt(secret: str) -> str:
    """Return what only the ranks of this attempt know: one left from the last is a stranger."""
    if not secret:
        return ""
    return hmac.digest(secret.encode(), f"{job_id()} {attempt()}".encode(), "sha256").hex()


def mark_lines(rank: int) -> None:
    """Let every line that this rank prints say whose it is; those of the first rank go unmarked."""
    if rank > 0:
        sys.stdout = MarkedLines(sys.stdout, f"[rank {rank}] ")
        sys.stderr = MarkedLines(sys.stderr, f"[rank {rank}] ")


class MarkedLines(io.TextIOBase):
    """A stream that puts a mark before each line, and writes it whole: others write there too."""

    def __init__(self, stream: TextIO, mark: str) -> None:
        self.stream = stream
        self.mark = mark
        self.rest = ""

    def write(self, text: str) -> int:
        """Write the lines that have come to their end."""
        *lines, self.rest = f"{self.rest}{text}".split("\n")
        for line in lines:
            self.stream.write(f"{self.mark}{line}\n")
        self.stream.flush()
        return len(text)

    def fileno(self) -> int:
        """That of the stream below, for those who write past Python."""
        return self.stream.fileno()
