"""What Slurm tells a job of itself, in the job's environment."""

import os
import re
import socket


def job_id() -> str | None:
    """The job's id as squeue shows it; None outside of Slurm."""
    array, index = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{index}" if array and index else os.environ.get("SLURM_JOB_ID")


def index_in_batch() -> int:
    """The place of the job's case in its batch: an array element's index, else 0."""
    return int(os.environ.get("SLURM_ARRAY_TASK_ID", 0))


def attempt() -> int:
    """Which attempt of this job this is; Slurm counts the restarts."""
    return int(os.environ.get("SLURM_RESTART_COUNT", 0)) + 1


def nodes() -> int:
    """On how many nodes the job runs."""
    return int(os.environ.get("SLURM_JOB_NUM_NODES", 1))


def allocated_gpus() -> int | None:
    """How many GPUs the job has, if every node is as this one; None where Slurm does not say.

    Each rank proves it from where it is, so a node that is not as the others is found.
    """
    count = os.environ.get("SLURM_GPUS_ON_NODE", "")
    if count.isdigit():
        return int(count) * nodes()
    for variable in ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS"):
        if ids := os.environ.get(variable):
            return len(ids.split(",")) * nodes()
    return None


def first_node() -> str:
    """The name of the job's first node, on which its sbatch script runs."""
    # The first element of e.g. "r[1-2]n[07-09,12]-a,x3", and of each range its beginning.
    names = os.environ.get("SLURM_JOB_NODELIST", "")
    match = re.match(r"(?:[^,\[]|\[[^\]]*\])*", names)
    first = re.sub(r"\[([^\],-]+)[^\]]*\]", r"\1", match[0] if match else "")
    return first or socket.gethostname()
