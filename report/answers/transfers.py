"""Task 5: how often `.to` is called and moves data, and how that grows with the GPU count."""

from report.analysis.comparison import CANNOT, Pair, pairs, why_no_pair
from report.analysis.transfers import counted, expected_moves, is_chain, total_bytes
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.names import schedule_name
from report.wording.units import count_of, data_size
from study.results.result import Transfers
from study.schedules import SCHEDULES

QUESTION = "How communication grows with the GPU count"


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Describe one forward pass of each case, then the growth with the GPU count."""
    counted = "; ".join(_counted(result) for result in results)
    return [
        Answer("How often is `.to` called, and data moved?", [f"In one forward pass, {counted}."]),
        Answer("How does communication grow with the number of GPUs?", _growths(results)),
    ]


def _counted(result: MeasuredCase) -> str:
    case, seen = result.case, result.transfers
    where = f"on {count_of(case.gpus, 'GPU')}, depth {case.depth}"
    if seen.to_calls_per_forward is not None:
        calls = seen.to_calls_per_forward
        return f"{where}: {calls} calls, of which {seen.moves_forward} moved data"
    moves = count_of(seen.moves_forward, "move")
    what = counted(seen.collectives, "forward") or moves
    return f"{where}, {schedule_name(case)}: {what} between processes, and no calls of `.to`"


def _growths(results: list[MeasuredCase]) -> list[str]:
    found = pairs(results, "gpus")
    if not found:
        return [f"{QUESTION} {CANNOT}: {why_no_pair(results, 'gpus')}."]
    return [_growth(pair) for pair in found]


def _growth(pair: Pair) -> str:
    few, many = pair.least, pair.most
    a, b = few.transfers, many.transfers
    if SCHEDULES[many.case.schedule].family == "tensor":
        return _growth_of_collectives(pair)
    law = all(
        moves == expected_moves(result.case)
        for result in (few, many)
        for moves in (result.transfers.moves_forward, result.transfers.moves_backward)
    )
    border = f"border between two {'GPUs' if a.to_calls_per_forward is not None else 'stages'}"
    if many.case.micro_batches > 1:
        border += " and every micro-batch"
    there_are = (
        ", of which there are GPUs - 1" if is_chain(few.case) and is_chain(many.case) else ""
    )
    rule = (
        f"one move each way for every {border}{there_are}"
        if law
        else f"this is not the one move for every {border} that was expected"
    )
    return (
        f"{pair.label}From {few.case.gpus} to {many.case.gpus} GPUs the moves of a training step, "
        f"forward and backward, go from {_moves(a)} to {_moves(b)}, and the data moved from "
        f"{data_size(_bytes(a))} to {data_size(_bytes(b))}: {rule}."
    )


def _growth_of_collectives(pair: Pair) -> str:
    """Describe the growth for tensor parallelism, which passes nothing from layer to layer."""
    few, many = pair.least, pair.most
    before, after = (counted(r.transfers.collectives) or "none" for r in (few, many))
    sizes = [data_size(total_bytes(r.transfers.collectives)) for r in (few, many)]
    return (
        f"{pair.label}From {few.case.gpus} to {many.case.gpus} GPUs what all GPUs do together in a "
        f"training step goes from {before} to {after}, and the data of each GPU in it from "
        f"{sizes[0]} to {sizes[1]}; no activation moves from one GPU to the next."
    )


def _moves(seen: Transfers) -> str:
    return f"{seen.moves_forward} + {seen.moves_backward}"


def _bytes(seen: Transfers) -> int:
    return seen.bytes_forward + seen.bytes_backward
