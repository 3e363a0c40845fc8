"""A job's own facts from the variables that Slurm sets in it."""

import hmac
import os
import re
import socket
from dataclasses import dataclass, field

from jobs.worker.environment import JobEnvironment
from jobs.worker.meeting import Meeting
from jobs.worker.rank import FIRST_NODE, OF_A_RANK, set_rank


def _job_id() -> str | None:
    array, index = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{index}" if array and index else os.environ.get("SLURM_JOB_ID")


def _number(variable: str, default: int) -> int:
    return int(os.environ.get(variable, default))


def _allocated_gpus() -> int | None:
    """Return how many GPUs the job has, if every node is as this one; None if Slurm does not say.

    Each rank checks its own node, so a node that is not as the others is found.
    """
    nodes = _number("SLURM_JOB_NUM_NODES", 1)
    count = os.environ.get("SLURM_GPUS_ON_NODE", "")
    if count.isdigit():
        return int(count) * nodes
    for variable in ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS"):
        if ids := os.environ.get(variable):
            return len(ids.split(",")) * nodes
    return None


def first_node() -> str:
    """Return the name of the job's first node, on which its sbatch script runs."""
    # The first element of e.g. "r[1-2]n[07-09,12]-a,x3", and of each range its beginning.
    names = os.environ.get("SLURM_JOB_NODELIST", "")
    match = re.match(r"(?:[^,\[]|\[[^\]]*\])*", names)
    first = re.sub(r"\[([^\],-]+)[^\]]*\]", r"\1", match[0] if match else "")
    return first or socket.gethostname()


@dataclass(frozen=True)
class SlurmEnvironment(JobEnvironment):
    """A task of a Slurm job."""

    job_id: str | None = field(default_factory=_job_id)
    index: int = field(default_factory=lambda: _number("SLURM_ARRAY_TASK_ID", 0))
    attempt: int = field(default_factory=lambda: _number("SLURM_RESTART_COUNT", 0) + 1)
    nodes: int = field(default_factory=lambda: _number("SLURM_JOB_NUM_NODES", 1))
    allocated_gpus: int | None = field(default_factory=_allocated_gpus)

    def become_rank(self, meeting: Meeting, secret: str) -> bool:
        """Make this task of a Slurm step a rank."""
        tasks = _number("SLURM_NTASKS", 1)
        place = (
            _number("SLURM_PROCID", 0),
            tasks,
            _number("SLURM_LOCALID", 0),
            tasks // self.nodes,
        )
        variables = dict(zip(OF_A_RANK, map(str, place), strict=True))
        if launched_at := os.environ.get("SLURM_LAUNCH_NODE_IPADDR"):
            variables[FIRST_NODE] = launched_at  # srun runs on the first node
        node = first_node() if self.nodes > 1 else ""
        set_rank(variables, meeting, self._secret_of_attempt(secret), node)
        os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("SLURM_CPUS_PER_TASK", "1"))
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else a lost rank fills the log
        return True

    def _secret_of_attempt(self, secret: str) -> str:
        """Return a secret that a rank left from the last attempt does not know."""
        if not secret:  # a batch of an earlier version
            return ""
        words = f"{self.job_id} {self.attempt}".encode()
        return hmac.digest(secret.encode(), words, "sha256").hex()
