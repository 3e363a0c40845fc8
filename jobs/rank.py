"""A rank: one of a job's processes, of which each has a GPU.

A rank knows itself and the others by the variables that torchrun sets as well.
"""

import io
import os
import sys
from typing import TextIO

from submitit.helpers import TorchDistributedEnvironment

VARIABLES = frozenset(
    ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
)


def become_rank() -> None:
    """Make this task of a Slurm step a rank, by what Slurm says of it.

    The ranks meet on the first node, at a port that follows from the job's id.
    """
    for name in VARIABLES:  # those of the shell that submitted are another job's
        os.environ.pop(name, None)
    TorchDistributedEnvironment().export(set_cuda_visible_devices=False)
    os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("SLURM_CPUS_PER_TASK", "1"))
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else a lost rank fills the log


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
