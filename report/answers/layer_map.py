"""Task 1: how many layers each GPU gets, and where in forward() the data moves."""

from itertools import groupby

from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.units import count_of, runs
from study.results.result import PairTransfers, Placement, Transfers

QUESTION = "How many layers does each GPU get, and where does the data move?"


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Return a sentence for each case."""
    return [Answer(QUESTION, [_where_it_moves(result) for result in results])]


def _where_it_moves(result: MeasuredCase) -> str:
    seen = result.transfers
    placement = result.placement
    if not placement.gpu_of_layer:
        return (
            f"Depth {result.case.depth}: every GPU holds a share of every layer, and nothing is "
            "passed on between layers; the GPUs reduce what each has computed."
        )
    counts = ", ".join(
        f"GPU {gpu} gets {count_of(n, 'layer')}{_in_runs(gpu, placement)}"
        for gpu, n in enumerate(placement.layers_per_gpu)
    )
    start = f"Depth {result.case.depth}: {counts}."
    if not seen.moved_before_layers:
        return f"{start} No data moved in forward()."
    ways = ", ".join(f"GPU {p.source} to GPU {p.target}" for p in _forward_pairs(seen))
    calls, moves = seen.to_calls_per_forward, seen.moves_forward
    if calls is None:
        return f"{start} Each GPU has a process of its own, which sends to the next, by {ways}."
    return (
        f"{start} In forward(), the data moves from {ways} at the call of "
        f"`x = x.to(layer_device)` before layer {runs(seen.moved_before_layers)} (layers count "
        f"from 0); the other {calls - moves} of {calls} calls find it in place and copy nothing."
    )


def _in_runs(gpu: int, placement: Placement) -> str:
    """Add the number of runs for a GPU whose layers are not contiguous."""
    holders = [holder for holder, _ in groupby(placement.gpu_of_layer)]
    return f" in {count} runs" if (count := holders.count(gpu)) > 1 else ""


def _forward_pairs(seen: Transfers) -> list[PairTransfers]:
    return [pair for pair in seen.by_pair if pair.phase == "forward"]
