"""How the step time changes along an axis that no task asks for: batch size, dtype and the like."""

from report.analysis.comparison import (
    CANNOT,
    Pair,
    groups,
    is_the_same,
    refusals,
    verdict,
    why_incomparable,
)
from report.data.measured import MeasuredCase
from report.facts import WORDS
from report.wording.units import ratio, seconds
from study.statistics.samples import estimate

# How a case is measured is no such axis; depth, GPUs and execution have answers of their own.
KEYS = ("dim", "batch_size", "split", "dtype", "optimizer")


def answer(results: list[MeasuredCase]) -> list[str]:
    """Sentences for each such key in which cases differ, all else equal."""
    differing = [key for key in KEYS if not is_the_same(results, key)]
    return [sentence for key in differing for sentence in _answer(results, key)]


def replaces(results: list[MeasuredCase], key: str) -> bool:
    """Whether cases differ in such a key and not in this one, of which then nobody asked."""
    return is_the_same(results, key) and not all(is_the_same(results, k) for k in KEYS)


def _answer(results: list[MeasuredCase], key: str) -> list[str]:
    found = [p for label, group in groups(results, key).items() for p in _pairs(label, group, key)]
    problems = [(pair, why_incomparable(pair.least, pair.most, key)) for pair in found]
    told = [_compare(pair, key) for pair, problem in problems if problem is None]
    refused = [(pair, problem) for pair, problem in problems if problem is not None]
    return [*told, *refusals(_question(key), refused)]


def _pairs(label: str, group: list[MeasuredCase], key: str) -> list[Pair]:
    """The least and the greatest number; of names, without an order, the first and each other."""
    if isinstance(getattr(group[0].case, key), str):
        return [Pair(label, group[0], other) for other in group[1:]]
    ranked = sorted(group, key=lambda result: int(getattr(result.case, key)))
    return [Pair(label, ranked[0], ranked[-1])] if len(ranked) > 1 else []


def _compare(pair: Pair, key: str) -> str:
    first, last = pair.least, pair.most
    before, after = (getattr(result.case, key) for result in (first, last))
    name = WORDS.get(key, key)
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
    return f"Whether {WORDS.get(key, key)} changes the step time"


def _per_row(pair: Pair) -> str:
    """What a larger batch is for."""
    few, many = (estimate(r.steps_s) / r.case.batch_size for r in (pair.least, pair.most))
    return f" A row of the batch takes {seconds(few)}, then {seconds(many)}."
