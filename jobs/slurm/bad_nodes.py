"""Nodes on which one case after another fails at launch: one of them can eat a whole grid."""

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from jobs.slurm.commands import NoAnswer, answer_of, ask, me
from jobs.status.tracker import View
from study.storage.ledger import Ended

SEVERAL = 2  # cases in a row; one may be bad luck
MANY = 1_000_000
ONE_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # it becomes part of an sbatch script
# States of nodes that can run jobs, now or when others have ended.
# A mark behind a state says that the node is planned for a job, powered down and the like; * alone
# says that it does not answer.
MARKS = "~#!%$@^-+"
ABLE = ("idle", "mixed", "allocated", "completing", "planned", "reserved")


def failed_node(ended: Ended | None) -> str | None:
    """Return the node that failed this attempt; None where it was none, or nobody says which.

    Of several nodes, Slurm does not say which failed, and leaving out all may leave too few.
    """
    if ended is None or ended.outcome != "node_failed":
        return None
    return ended.nodes if ONE_NODE.fullmatch(ended.nodes) else None


@dataclass(frozen=True)
class BadNodes:
    """Nodes that fail one case after another; `others_able` is how many others can run jobs."""

    names: tuple[str, ...] = ()
    others_able: int = 0

    def avoided_by(self, nodes: int) -> tuple[str, ...]:
        """Return the nodes that a job on so many nodes leaves out: none where too few remain."""
        return self.names if nodes <= self.others_able else ()


NO_BAD_NODES = BadNodes()


def bad_nodes(view: View, cases: Container[str]) -> tuple[str, ...]:
    """Return the nodes on which the last `SEVERAL` of these cases, or more, failed at launch.

    A case that has ended otherwise since, wherever that was, does not count any more: so a node
    that was mended comes back once the cases that it failed are measured.

    Args:
        cases: ids; a node that failed those of another grid gets another chance.
    """
    last_ends = {(ended.case_id, ended.batch) for ended in _last_ends(view)}
    in_a_row: dict[str, set[str]] = defaultdict(set)
    for ended in view.endings:
        if (node := failed_node(ended)) is None:
            in_a_row[ended.nodes].clear()
        elif (ended.case_id, ended.batch) in last_ends and ended.case_id in cases:
            in_a_row[node].add(ended.case_id)
    return tuple(sorted(node for node, failed in in_a_row.items() if len(failed) >= SEVERAL))


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
    # A partition may be hidden, unless it is named.
    where = f"--partition={partition}" if partition else "--all"
    output = answer_of("sinfo", "--noheader", "--Node", "--format=%N %T", where)
    states = dict(line.split(maxsplit=1) for line in output.splitlines() if " " in line)
    return {node: state.rstrip(MARKS) for node, state in states.items()}


def count_others(bad: Sequence[str], partition: str) -> int:
    """Return how many nodes that are not bad can run jobs; a great many if Slurm does not say."""
    try:
        states = nodes_by_state(partition)
    except NoAnswer:
        return MANY
    return sum(state in ABLE for node, state in states.items() if node not in bad)


def keep_away(job: str, nodes: Sequence[str]) -> bool:
    """Let a waiting job not go to these nodes either; False if Slurm does not know or refuses.

    A job that has begun meanwhile stays where it is.
    """
    shown = ask("squeue", "--all", "--noheader", f"--user={me()}", f"--jobs={job}", "--format=%x")
    own = [shown.stdout.split()[0]] if shown.stdout.split() else []
    done = ask("scontrol", "update", f"jobid={job}", f"excnodelist={','.join([*own, *nodes])}")
    return done.returncode == 0
