"""Task 5: how often `.to` is called and moves data, and how that grows with the GPU count."""

from report.answers.comparing import CANNOT, Pair, pairs, why_no_pair
from report.measured import Measured
from report.units import data_size, plural
from study.result import Transfers

QUESTION = "How communication grows with the GPU count"


def answer(results: list[Measured]) -> list[str]:
    """What one forward pass does in each case, then how that grows with the GPU count."""
    counted = "; ".join(
        f"on {r.case.gpus} {plural(r.case.gpus, 'GPU')}, depth {r.case.depth}: "
        f"{r.transfers.to_calls_per_forward} calls, of which {r.transfers.moves_forward} moved data"
        for r in results
    )
    return [f"In one forward pass, {counted}.", *_growths(results)]


def _growths(results: list[Measured]) -> list[str]:
    found = pairs(results, "gpus")
    if not found:
        return [f"{QUESTION} {CANNOT}: {why_no_pair(results, 'gpus')}."]
    return [_growth(pair) for pair in found]


def _growth(pair: Pair) -> str:
    few, many = pair.least, pair.most
    a, b = few.transfers, many.transfers
    law = all(
        moves == result.case.gpus - 1
        for result in (few, many)
        for moves in (result.transfers.moves_forward, result.transfers.moves_backward)
    )
    rule = (
        "one move each way for every border between two GPUs, of which there are GPUs - 1"
        if law
        else "this is not the one move for every border between two GPUs that was expected"
    )
    return (
        f"{pair.label}From {few.case.gpus} to {many.case.gpus} GPUs the moves of a training step, "
        f"forward and backward, go from {_moves(a)} to {_moves(b)}, and the data moved from "
        f"{data_size(_bytes(a))} to {data_size(_bytes(b))}: {rule}."
    )


def _moves(seen: Transfers) -> str:
    return f"{seen.moves_forward} + {seen.moves_backward}"


def _bytes(seen: Transfers) -> int:
    return seen.bytes_forward + seen.bytes_backward
