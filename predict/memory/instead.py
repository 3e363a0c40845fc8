"""The fewest GPUs, or micro-batches, with which a case that cannot fit would."""

from collections.abc import Callable, Iterator

import msgspec

from study.case import Case
from study.errors import ConfigError
from study.schedules import has_key
from study.validation import check_together

MOST_GPUS = 64
MOST_TRIED = 16  # numbers of micro-batches


def what_would_fit(
    case: Case, answer_of: Callable[[Case], str | None], runs: Callable[[Case], bool]
) -> str:
    """Return in words what would fit instead: `20 GPUs (10 may) or 32 micro-batches`; or nothing.

    Args:
        case: what cannot.
        answer_of: returns whether a case fits; None if unknown.
        runs: whether a case can run where this one was to.
    """
    tried = {"GPUs": _with(case, "gpus", iter(range(case.gpus + 1, MOST_GPUS + 1)))}
    if has_key("micro_batches", case.schedule):
        tried["micro-batches"] = _with(case, "micro_batches", _more_micro_batches(case))
    found = []
    for unit, others in tried.items():
        may = None
        for count, other in others:
            answer = answer_of(other) if runs(other) else None
            if answer == "fits":
                found.append(f"{count} {unit}{f' ({may} may)' if may else ''}")
                break
            may = count if may is None and answer == "may not fit" else may
    return " or ".join(found)


def _with(case: Case, key: str, values: Iterator[int]) -> Iterator[tuple[int, Case]]:
    """Yield each of the values that the case can have, with the case that has it."""
    for value in values:
        other = msgspec.structs.replace(case, **{key: value})
        if _is_valid(other):
            yield value, other


def _more_micro_batches(case: Case) -> Iterator[int]:
    """Yield the next larger numbers into which the batch can be cut."""
    rows, found = case.batch_size // case.data_parallel, 0
    for count in range(case.micro_batches + 1, min(rows, 100_000) + 1):
        if rows % count == 0:
            yield count
            found += 1
        if found == MOST_TRIED:
            return


def _is_valid(case: Case) -> bool:
    try:
        check_together(case, "")
    except ConfigError:
        return False
    return True
