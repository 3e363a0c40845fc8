"""A rank: one of a job's processes, of which each has a GPU.

A rank knows itself and the others by the variables that torchrun sets as well.
"""

import io
import os
import sys
from typing import TextIO

from jobs.worker.meeting import CHOSEN, Meeting, NowhereToMeet, meeting_point

# For mp/rendezvous/meeting.py and secret.py, which have the same names: why ranks cannot meet, a
# second address of the first node, and the secret by which ranks know one another.
NOWHERE = "MPBENCH_NOWHERE"
FIRST_NODE = "MPBENCH_FIRST_NODE"
SECRET = "MPBENCH_SECRET"
OF_A_RANK = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
VARIABLES = frozenset(
    (*OF_A_RANK, "MASTER_ADDR", "MASTER_PORT", CHOSEN, NOWHERE, FIRST_NODE, SECRET)
)


def drop_outer_rank_variables() -> None:
    """Drop from this process's environment what other ranks left there, so that no job gets it."""
    for name in VARIABLES:
        os.environ.pop(name, None)


def set_rank(variables: dict[str, str], meeting: Meeting, secret: str, first_node: str) -> None:
    """Make this process a rank: set the variables by which it knows itself and the others.

    Args:
        variables: those of OF_A_RANK, and FIRST_NODE if it is known.
        meeting: where the profile lets ranks meet.
        secret: of this attempt; empty in a batch of an earlier version, and then no rank starts.
        first_node: its name; empty where the job has no other.
    """
    try:
        address, port = meeting_point(meeting, secret, first_node)
        where = {"MASTER_ADDR": address, "MASTER_PORT": port}
    except NowhereToMeet as error:
        where = {NOWHERE: str(error)}
    drop_outer_rank_variables()
    os.environ.update(variables | where | ({SECRET: secret} if secret else {}))


def mark_lines(rank: int) -> None:
    """Mark every line that this rank prints with its number; the first rank's go unmarked.

    Each is written in one piece. `python -u` writes its end apart, and srun may put a line of its
    own between the two, or drop the second.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=False)
    if rank > 0:
        sys.stdout = MarkedLines(sys.stdout, f"[rank {rank}] ")
        sys.stderr = MarkedLines(sys.stderr, f"[rank {rank}] ")


class MarkedLines(io.TextIOBase):
    """A stream that marks each line and writes whole lines, since others write there, too."""

    def __init__(self, stream: TextIO, mark: str) -> None:
        self.stream = stream
        self.mark = mark
        self.rest = ""

    def write(self, text: str) -> int:
        """Write the lines that are complete."""
        *lines, self.rest = f"{self.rest}{text}".split("\n")
        for line in lines:
            self.stream.write(f"{self.mark}{line}\n")
        self.stream.flush()
        return len(text)

    def fileno(self) -> int:
        """Return the descriptor of the stream below, for those who write past Python."""
        return self.stream.fileno()
