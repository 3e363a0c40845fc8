"""The connections that NCCL made between the ranks of a case."""

from report.data.measured import MeasuredCase
from study.text import one_line


def transports(result: MeasuredCase) -> set[str] | None:
    """Return the kinds of connections between all ranks, of all jobs; None where one is unknown.

    Results from before they were recorded, Gloo and cases in one process have none.
    """
    found: set[str] = set()
    for job in result.jobs:
        for rank in job.environment.ranks:
            if rank.transports is None:
                return None
            found.update(map(one_line, rank.transports))
    return found or None


def why_transports_differ(a: MeasuredCase, b: MeasuredCase) -> str | None:
    """Return both kinds of connections where both are known and differ; else None."""
    left, right = transports(a), transports(b)
    if left is None or right is None or left == right:
        return None
    both = (", ".join(sorted(kinds)) for kinds in (left, right))
    return f"NCCL connected the GPUs by other means ({' and '.join(both)})"
