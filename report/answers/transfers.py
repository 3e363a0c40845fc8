"""Task 5: how often `.to` is called and moves data, and how communication grows with GPUs."""

from report.analysis.comparison import CANNOT, why_no_pair
from report.analysis.transfers import counted, expected_moves, is_chain, total_bytes
from report.answers.phrases import groups_of, listed, per_group
from report.answers.reasons.communication import copy_times, costs
from report.answers.reasons.reductions import grown
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.units import count_of, data_size
from study.schedules import SCHEDULES

CALLS = "How often is `x.to(layer_device)` called in one forward pass, and how often does it copy?"
GROWTH = "How does communication grow with the number of GPUs?"
QUESTION = "How communication grows with the GPU count"


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Count the calls and moves of one forward pass, then tell their growth and their cost."""
    return [
        Answer(CALLS, per_group(results, "gpus", _of)),
        Answer(GROWTH, [*_growths(results), *costs(results)]),
    ]


def headlines(results: list[MeasuredCase]) -> list[str]:
    """Return the law of growth, and the share of a step that copies take."""
    for label, group in groups_of(results, "gpus").items():
        several = [r for r in group if r.transfers.to_calls_per_forward is not None]
        if _is_law(several) and len({r.case.gpus for r in several}) > 1:
            most = max(several, key=lambda result: (not result.emulated, result.case.gpus))
            times = "".join(f" {text}" for text in copy_times([most]))
            return [f"{label}Communication grows linearly: N GPUs move data N − 1 times forward "
                    f"and N − 1 times backward.{times}"]  # fmt: skip
    return []


def _of(group: list[MeasuredCase]) -> list[str]:
    """Count for one group: calls in one process, or moves between processes."""
    called = [r for r in group if r.transfers.to_calls_per_forward is not None]
    found = []
    if called:
        numbers = sorted({r.transfers.to_calls_per_forward or 0 for r in called})
        each = ", one before each layer" if numbers == [called[0].case.layers] else ""
        found.append(
            f"{listed(numbers)} calls in one forward pass{each}. Calls that move data: "
            f"{_by_count(called)}. The others find the data in place and copy nothing."
        )
    if others := [r for r in group if r not in called]:
        found.append(
            f"No calls of `.to`: {listed(map(_between_processes, others))} between processes."
        )
    return found


def _by_count(results: list[MeasuredCase]) -> str:
    """Return `2 GPUs: 1, 5 GPUs: 4`."""
    ranked = sorted(results, key=lambda result: result.case.gpus)
    return ", ".join(f"{count_of(r.case.gpus, 'GPU')}: {r.transfers.moves_forward}" for r in ranked)


def _between_processes(result: MeasuredCase) -> str:
    seen = result.transfers
    what = counted(seen.collectives, "forward") or count_of(seen.moves_forward, "move")
    return f"{what} on {count_of(result.case.gpus, 'GPU')}"


def _growths(results: list[MeasuredCase]) -> list[str]:
    found = per_group(results, "gpus", _growth)
    return found or [f"{QUESTION} {CANNOT}: {why_no_pair(results, 'gpus')}."]


def _growth(group: list[MeasuredCase]) -> list[str]:
    """Tell how moves grow; nothing of one GPU count."""
    if len({result.case.gpus for result in group}) < 2:
        return []
    ranked = sorted(group, key=lambda result: result.case.gpus)
    last = ranked[-1].case
    if SCHEDULES[last.schedule].is_on_all_gpus:
        return [grown(ranked)]
    numbers = ", ".join(_moves_and_bytes(result) for result in ranked)
    step = f"Moves of a training step, forward + backward, and bytes: {numbers}."
    if not _is_law(ranked) and _is_multiple(ranked):
        return [
            f"Not one move each way {_border(last)}, but several: a layer that passes on several "
            f"tensors moves each of them. {step}"
        ]
    if not _is_law(ranked):
        return [f"Not by the rule of one move {_border(last)} each way, which was expected. {step}"]
    if all(is_chain(result.case) for result in ranked):
        return [
            "Linearly: with N GPUs, data moves N − 1 times forward and N − 1 times backward, once "
            f"each way {_border(last)}. {step}"
        ]
    return [f"By one move each way {_border(last)}{_fold(last.schedule)}. {step}"]


def _is_law(results: list[MeasuredCase]) -> bool:
    return bool(results) and all(
        moves == expected_moves(result.case)
        for result in results
        for moves in (result.transfers.moves_forward, result.transfers.moves_backward)
    )


def _is_multiple(results: list[MeasuredCase]) -> bool:
    """Return True if an own model moves a whole multiple of what one tensor a layer would need."""
    return all(
        r.case.kind == "factory" and not moves % max(1, expected_moves(r.case))
        for r in results
        for moves in (r.transfers.moves_forward, r.transfers.moves_backward)
    )


def _border(case: object) -> str:
    micro = " and every micro-batch" if getattr(case, "micro_batches", 1) > 1 else ""
    replica = " in each replica" if getattr(case, "data_parallel", 1) > 1 else ""
    return f"for every border between two GPUs{micro}{replica}"


def _fold(schedule: str) -> str:
    if schedule != "zbv":
        return ""
    return "; the stages form a V, and at its fold, within the last GPU, nothing moves"


def _moves_and_bytes(result: MeasuredCase) -> str:
    seen = result.transfers
    size = data_size(seen.bytes_forward + seen.bytes_backward)
    gpus = count_of(result.case.gpus, "GPU")
    text = f"{gpus}: {seen.moves_forward} + {seen.moves_backward}, {size}"
    if result.case.data_parallel == 1:
        return text
    averaged = data_size(total_bytes(seen.collectives))
    return f"{text} (and gradients of {averaged} in {counted(seen.collectives)})"
