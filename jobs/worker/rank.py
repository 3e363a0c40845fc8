"""A rank: one of a job's processes, of which each has a GPU.

A rank knows itself and the others by the variables that torchrun sets as well.
"""

import io
import os
import sys
from typing import NamedTuple, TextIO

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


class Place(NamedTuple):
    """A rank's place among the ranks of its job.

    Attributes:
        first_address: another address of the first node; empty where none is known.
    """

    rank: int
    ranks: int
    local_rank: int
    local_ranks: int
    first_node: str
    first_address: str = ""


def set_rank(place: Place, meeting: Meeting, secret: str) -> None:
    """Make this process a rank: set the variables by which it knows itself and the others.

    Args:
        place: the rank's.
        meeting: where the profile lets ranks meet.
        secret: of this attempt; empty in a batch of an earlier version, and then no rank starts.
    """
    try:
        is_one_node = place.ranks == place.local_ranks
        where = meeting_point(meeting, secret, "" if is_one_node else place.first_node)
        variables = {"MASTER_ADDR": where[0], "MASTER_PORT": where[1]}
    except NowhereToMeet as error:
        variables = {NOWHERE: str(error)}
    drop_outer_rank_variables()
    numbers = (place.rank, place.ranks, place.local_rank, place.local_ranks)
    variables |= dict(zip(OF_A_RANK, map(str, numbers), strict=True))
    variables |= {SECRET: secret} if secret else {}
    variables |= {FIRST_NODE: place.first_address} if place.first_address else {}
    os.environ.update(variables)


def mark_lines(rank: int) -> None:
    """Mark every line that this rank prints with its number; the first rank's go unmarked."""
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
