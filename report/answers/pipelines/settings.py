"""Pipelines that differ in one setting alone: more micro-batches, fused weight gradients."""

from report.analysis.comparison import (
    Pair,
    pairs,
    times_words,
    verdict,
    verdict_words,
    why_incomparable,
)
from report.answers.phrases import MOST_GROUPS, more_settings
from report.data.labels import differs, label
from report.data.measured import MeasuredCase
from report.wording.names import begun, gradients_words
from report.wording.units import count_of
from study.schedules import SCHEDULES

MICRO_BATCHES = "Do more micro-batches make a step faster?"
GRADIENTS = "Do fused weight gradients make a step faster?"
WORDS = {
    "faster": "a step takes less time",
    "slower": "a step takes more time",
    "same": "a step takes as long",
    "undecided": "the two cannot be told apart",
}


def of_micro_batches(results: list[MeasuredCase]) -> list[str]:
    """Compare the fewest micro-batches with the most, of pipelines alike otherwise."""
    return _sentences(results, "micro_batches")


def of_gradients(results: list[MeasuredCase]) -> list[str]:
    """Compare separate weight gradients with fused ones, of pipelines alike otherwise."""
    return _sentences(results, "gradients")


def _sentences(results: list[MeasuredCase], key: str) -> list[str]:
    """Count what is faster, then tell of each pair in one paragraph; nothing without a pair."""
    pipelines = [r for r in results if SCHEDULES[r.case.schedule].is_pipeline]
    found = [Pair(pair.label, *_ordered(pair, key)) for pair in pairs(pipelines, key)]
    compared = [p for p in found if why_incomparable(p.least, p.most, key) is None]
    if not compared:
        return []
    told = [_compare(pair, key, pipelines) for pair in compared[:MOST_GROUPS]]
    return [" ".join([_counts(compared), *told, *more_settings(len(compared))])]


def _ordered(pair: Pair, key: str) -> tuple[MeasuredCase, MeasuredCase]:
    is_turned = key == "gradients" and pair.least.case.gradients == "fused"
    return (pair.most, pair.least) if is_turned else (pair.least, pair.most)


def _counts(compared: list[Pair]) -> str:
    """Return how many of the pairs are faster with the second value; yes or no where all agree."""
    kinds = [verdict(pair.least, pair.most).kind for pair in compared]
    if set(kinds) == {"faster"}:
        return "Yes." if len(kinds) == 1 else f"Yes, in all {len(kinds)} comparisons."
    if "faster" not in kinds and "undecided" not in kinds:
        return "No." if len(kinds) == 1 else f"No, in none of {len(kinds)} comparisons."
    (first, count), *others = [(kind, kinds.count(kind)) for kind in WORDS if kind in kinds]
    told = [f"In {count} of {count_of(len(kinds), 'comparison')} {WORDS[first]}"]
    return f"{', '.join([*told, *(f'in {count} {WORDS[kind]}' for kind, count in others)])}."


def _compare(pair: Pair, key: str, pipelines: list[MeasuredCase]) -> str:
    names = (_name(pair.least, key), _name(pair.most, key))
    words = verdict_words(pair.least, pair.most, *names, plural=True)
    times = times_words(pair.least, pair.most)
    return f"{_label(pair.most, key, pipelines)}: {words}, {times}."


def _label(result: MeasuredCase, key: str, pipelines: list[MeasuredCase]) -> str:
    """Return what tells a pair from others: `GPipe, 16 micro-batches`."""
    schedule = "" if differs(pipelines, "schedule") else SCHEDULES[result.case.schedule].label
    gpus, *others = label(result, pipelines, key).split(", ")
    parts = [schedule, gpus if differs(pipelines, "gpus") else "", *others]
    return begun(", ".join(filter(None, parts)))


def _name(result: MeasuredCase, key: str) -> str:
    if key == "gradients":
        return gradients_words(result.case.gradients)
    return count_of(result.case.micro_batches, "micro-batch", "micro-batches")
