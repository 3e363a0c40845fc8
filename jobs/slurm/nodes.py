"""Count the nodes that can run jobs, and keep a job from some of them."""

from collections.abc import Sequence

from jobs.executor import NoAnswer
from jobs.slurm.commands import current_user, query, run_command

MANY = 1_000_000
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
