"""Nodes on which one case after another fails at launch: one of them can eat a whole grid."""

import re
from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import dataclass

from jobs.status.case_status import Snapshot
from study.storage.ledger import Ended

SEVERAL = 2  # cases in a row; one may be bad luck
ONE_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # it becomes part of an sbatch script


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


def bad_nodes(snapshot: Snapshot, cases: Container[str]) -> tuple[str, ...]:
    """Return the nodes on which the last `SEVERAL` of these cases, or more, failed at launch.

    A case that has ended otherwise since, wherever that was, does not count any more: so a node
    that was repaired comes back once the cases that it failed are measured.

    Args:
        snapshot: all attempts and their ends.
        cases: ids; a node that failed those of another grid gets another chance.
    """
    last_ends = {(ended.case_id, ended.batch) for ended in _last_ends(snapshot)}
    in_a_row: dict[str, set[str]] = defaultdict(set)
    for ended in snapshot.endings:
        if (node := failed_node(ended)) is None:
            in_a_row[ended.nodes].clear()
        elif (ended.case_id, ended.batch) in last_ends and ended.case_id in cases:
            in_a_row[node].add(ended.case_id)
    return tuple(sorted(node for node, failed in in_a_row.items() if len(failed) >= SEVERAL))


def _last_ends(snapshot: Snapshot) -> Iterator[Ended]:
    """Yield the end of each case's last attempt that has ended."""
    for attempts in snapshot.attempts.values():
        ends = [attempt.ended for attempt in attempts if attempt.ended is not None]
        yield from ends[-1:]
