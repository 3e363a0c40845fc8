"""What all GPUs do together in a step, in words and in sum."""

from collections import Counter

from report.wording.units import plural
from study.results.result import Collective

NAMES = {
    "all_reduce": "all-reduce",
    "all_gather_into_tensor": "all-gather",
    "reduce_scatter_tensor": "reduce-scatter",
}


def counted(collectives: tuple[Collective, ...], phase: str | None = None) -> str:
    """`19 all-reduces and 1 all-gather`, of one phase or of all; empty where there are none."""
    calls: Counter[str] = Counter()
    for one in collectives:
        if phase in (None, one.phase):
            calls[NAMES.get(one.operation, one.operation)] += one.calls
    return " and ".join(f"{count} {plural(count, name)}" for name, count in calls.items() if count)


def total_bytes(collectives: tuple[Collective, ...]) -> int:
    """Those of one GPU's tensors in all of them."""
    return sum(one.bytes for one in collectives)
