"""Eager steps beside CUDA graphs of the same steps: what launching kernels one by one costs."""

from report.analysis.comparison import (
    CANNOT,
    Pair,
    pairs,
    times_words,
    verdict_words,
    why_incomparable,
)
from report.analysis.verdicts.launching import launching_between
from report.answers.phrases import label_of
from report.answers.pipelines.ranking import names_of
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.names import begun
from report.wording.units import count_of, plural

QUESTION = "What does launching kernels one by one cost?"


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Answer for every pair of cases that differ in `execution` alone; nothing without one."""
    found = sentences(results)
    return [Answer(QUESTION, found)] if found else []


def sentences(results: list[MeasuredCase]) -> list[str]:
    """Compare eager steps with CUDA graphs of the same steps."""
    keys, found = differing(results, "execution"), pairs(results, "execution")
    told = [_compare(pair, label_of(pair.least, keys)) for pair in found]
    return [*told, *_without_eager(results, found)] if told else []


def _compare(pair: Pair, label: str) -> str:
    eager, graph = pair.least, pair.most
    if problem := why_incomparable(eager, graph, "execution"):
        return f"{label}What launching costs {CANNOT}: {problem}."
    words = verdict_words(eager, graph, "eager steps", "CUDA graphs", plural=True)
    told = f"{label}{words[0].upper()}{words[1:]}, {times_words(eager, graph)}."
    return f"{told}{_cost(eager, graph)}"


def _without_eager(results: list[MeasuredCase], found: list[Pair]) -> list[str]:
    """Name the graphs that have no eager steps to be compared with, for each number of GPUs."""
    paired = [result for pair in found for result in (pair.least, pair.most)]
    alone = [r for r in results if r.case.execution == "cuda_graph" and r not in paired]
    return [
        f"{begun(names_of(group))} on {count_of(gpus, 'GPU')} {plural(len(group), 'has', 'have')} "
        "no eager steps to be compared with."
        for gpus in sorted({result.case.gpus for result in alone})
        if (group := [result for result in alone if result.case.gpus == gpus])
    ]


def _cost(eager: MeasuredCase, graph: MeasuredCase) -> str:
    """Return what launching takes of a step of processes, whose sends are launched one by one."""
    found = launching_between(eager, graph) if eager.case.in_processes else None
    return "" if found is None else f" Launching takes {found.words} of an eager step."
