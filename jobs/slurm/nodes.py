"""Count the nodes that can run jobs, and keep a job from some of them."""

import re
from collections.abc import Sequence

from jobs.executor import NoAnswer
from jobs.slurm.commands import current_user, query, run_command

MANY = 1_000_000
_GRES = re.compile(r"\([^()]*\)")  # the sockets or numbers of GPUs, as in gpu:h100:8(S:0-1)
# States of nodes that can run jobs, now or when others have ended.
# A suffix of a state says that the node is planned for a job, powered down and the like; * alone
# says that it does not answer.
MARKS = "~#!%$@^-+"
ABLE = ("idle", "mixed", "allocated", "completing", "planned", "reserved")


def nodes_by_state(partition: str) -> dict[str, str]:
    """Return the state of every node of the partition, or of all where it is empty.

    Raises:
        NoAnswer: Slurm does not answer.
    """
    # A partition may be hidden, unless it is named.
    where = f"--partition={partition}" if partition else "--all"
    output = query("sinfo", "--noheader", "--Node", "--format=%N %T", where)
    states = dict(line.split(maxsplit=1) for line in output.splitlines() if " " in line)
    return {node: state.rstrip(MARKS) for node, state in states.items()}


def gpu_types(partition: str) -> list[str]:
    """Return the types of the GPUs of the partition's nodes; an empty name for one without.

    Args:
        partition: its name; empty for the default one.

    Raises:
        NoAnswer: Slurm does not answer.
    """
    where = [f"--partition={partition}"] if partition else []
    output = query("sinfo", "--noheader", "--format=%P|%G", *where)
    lines = [line.partition("|") for line in output.splitlines()]
    meant = [gres for name, _, gres in lines if partition or name.strip().endswith("*")]
    types = [word.split(":")[1:] for gres in meant for word in _GRES.sub("", gres).split(",")
             if word.split(":")[0] == "gpu"]  # fmt: skip
    # gpu:2 has no type, gpu:h100:2 and gpu:h100 have one.
    return list(dict.fromkeys("" if its[0].isdigit() else its[0] for its in types if its))


def count_others(bad: Sequence[str], partition: str) -> int:
    """Return how many nodes that are not bad can run jobs; a great many if Slurm does not say."""
    try:
        states = nodes_by_state(partition)
    except NoAnswer:
        return MANY
    return sum(state in ABLE for node, state in states.items() if node not in bad)


def exclude_nodes(job: str, nodes: Sequence[str]) -> bool:
    """Let a waiting job not go to these nodes either; False if Slurm does not know or refuses.

    A job that has begun meanwhile stays where it is.
    """
    own = f"--user={current_user()}"
    shown = run_command("squeue", "--all", "--noheader", own, f"--jobs={job}", "--format=%x")
    excluded = [*shown.stdout.split()[:1], *nodes]
    update = ("scontrol", "update", f"jobid={job}", f"excnodelist={','.join(excluded)}")
    return run_command(*update).returncode == 0
