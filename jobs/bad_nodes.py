"""Nodes on which one case after another fails at launch: one of them can eat a whole grid."""

from collections import defaultdict
from collections.abc import Iterator

from jobs.observe import View
from jobs.slurm_commands import NoAnswer, answer_of, ask
from study.submissions import Ended

SEVERAL = 2  # cases in a row; one may be bad luck
# States of nodes that can run jobs, now or when others have ended.
ABLE = ("idle", "mixed", "allocated", "completing", "planned", "reserved")


def failed_node(ended: Ended | None) -> str | None:
    """Return the node that failed this attempt; None where it was none, or nobody says which.

    Of several nodes, Slurm does not say which failed, and leaving out all may leave too few.
    """
    if ended is None or ended.outcome != "node_failed" or set(ended.nodes) & set(",["):
        return None
    return ended.nodes or None


def bad_nodes(view: View) -> list[str]:
    """Return the nodes on which the last `SEVERAL` cases, or more, failed at launch.

    A case that has ended otherwise since, wherever that was, does not count any more: so a node
    that was mended comes back once the cases that it failed are measured.
    """
    last_ends = {(ended.case_id, ended.batch) for ended in _last_ends(view)}
    in_a_row: dict[str, set[str]] = defaultdict(set)
    for ended in view.endings:
        if (node := failed_node(ended)) is None:
            in_a_row[ended.nodes].clear()
        elif (ended.case_id, ended.batch) in last_ends:
            in_a_row[node].add(ended.case_id)
    return sorted(node for node, cases in in_a_row.items() if len(cases) >= SEVERAL)


def _last_ends(view: View) -> Iterator[Ended]:
    """Yield how the last attempt at each case ended that has ended."""
    for attempts in view.attempts.values():
        ends = [attempt.ended for attempt in attempts if attempt.ended is not None]
        yield from ends[-1:]


def nodes_by_state(partition: str) -> dict[str, str]:
    """Return the state of every node of the partition, or of all where it is empty.

    Raises:
        NoAnswer: Slurm does not answer.
    """
    where = [f"--partition={partition}"] if partition else []
    output = answer_of("sinfo", "--noheader", "--Node", "--format=%N %T", *where)
    states = dict(line.split(maxsplit=1) for line in output.splitlines() if " " in line)
    return {node: state.strip("*") for node, state in states.items()}


def are_others_able(bad: list[str], partition: str) -> bool:
    """Return whether some node that is not bad can run jobs; True where Slurm does not say."""
    try:
        states = nodes_by_state(partition)
    except NoAnswer:
        return True
    return any(state in ABLE for node, state in states.items() if node not in bad)


def keep_away(jobs: list[str], nodes: str) -> None:
    """Let these waiting jobs not go to these nodes; a job that has begun meanwhile stays."""
    for job in jobs:
        ask("scontrol", "update", f"jobid={job}", f"excnodelist={nodes}")
