"""Step time along an axis that no task asks for: batch size, dtype and the like."""

from report.analysis.comparison import (
    CANNOT,
    SWEPT,
    Pair,
    groups,
    refusals,
    verdict,
    why_incomparable,
)
from report.data.labels import differs
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.names import key_name
from report.wording.units import ratio, seconds
from study.statistics.samples import estimate


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Answer for each key of `SWEPT` in which cases differ, all else equal."""
    differing = [key for key in SWEPT if differs(results, key)]
    return [
        Answer(f"Does {key_name(key)} change the step time?", _answer(results, key))
        for key in differing
    ]


def _answer(results: list[MeasuredCase], key: str) -> list[str]:
    found = [p for label, group in groups(results, key).items() for p in _pairs(label, group, key)]
    problems = [(pair, why_incomparable(pair.least, pair.most, key)) for pair in found]
    told = [_compare(pair, key) for pair, problem in problems if problem is None]
    return [*told, *refusals(_question(key), problems)]


def _pairs(label: str, group: list[MeasuredCase], key: str) -> list[Pair]:
    """Return the least and the greatest number; of names, the first with each other one."""
    if isinstance(getattr(group[0].case, key), str):
        return [Pair(label, group[0], other) for other in group[1:]]
    ranked = sorted(group, key=lambda result: int(getattr(result.case, key)))
    return [Pair(label, ranked[0], ranked[-1])] if len(ranked) > 1 else []


def _compare(pair: Pair, key: str) -> str:
    first, last = pair.least, pair.most
    before, after = (getattr(result.case, key) for result in (first, last))
    name = key_name(key)
    found = verdict(first, last)
    times = "" if isinstance(after, str) else f" ({ratio(after / before)} times as much)"
    change = (
        f"{name} {before} to {after}{times} the step time goes from "
        f"{seconds(estimate(first.steps_s))} to {seconds(estimate(last.steps_s))}; "
        f"{found.words(f'{name} {before}', f'{name} {after}')}"
        f"{', on emulated GPUs' if last.emulated else ''}"
    )
    if found.kind == "undecided":
        return f"{pair.label}{_question(key)} {CANNOT}: from {change}."
    return f"{pair.label}From {change}.{_per_row(pair) if key == 'batch_size' else ''}"


def _question(key: str) -> str:
    return f"Whether {key_name(key)} changes the step time"


def _per_row(pair: Pair) -> str:
    """Add the time per row, which a larger batch is meant to improve."""
    few, many = (estimate(r.steps_s) / r.case.batch_size for r in (pair.least, pair.most))
    return f" A row of the batch takes {seconds(few)}, then {seconds(many)}."
