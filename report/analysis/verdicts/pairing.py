"""Pairs of measurements that differ in one key alone, and refusals that name them."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from report.analysis.verdicts.disturbances import why_unfit
from report.analysis.verdicts.incomparable import why_incomparable
from report.data.conditions import FOLLOWS, conditions
from report.data.labels import differing, differs, sentence_label
from report.data.measured import MeasuredCase
from report.data.variables import common_scope
from report.wording.names import heading, key_name, key_text

CANNOT = "cannot be told from these results"
NAMED = 4  # pairs in a sentence


@dataclass(frozen=True)
class Pair:
    """Two measurements that differ in one key alone; `least` has the smaller value.

    `label` begins the sentence about them where several groups differ in another key.
    """

    label: str
    least: MeasuredCase
    most: MeasuredCase


def groups(results: list[MeasuredCase], *keys: str) -> dict[str, list[MeasuredCase]]:
    """Return the measurements that differ in `keys` alone, by the label of each group."""
    others = differing(results, *keys)
    found: dict[str, list[MeasuredCase]] = {}
    for result in results:
        found.setdefault(sentence_label(result, others), []).append(result)
    return found


def pairs(results: list[MeasuredCase], key: str) -> list[Pair]:
    """Return the pair of the least and the most of a key, of all that is alike in each group.

    What is unlike the rest is paired with the least of all: a refusal can name it.
    """
    found: list[Pair] = []
    if not differs(results, key):
        return found
    for label, group in groups(results, key).items():
        first, *others = _alike(group, key)
        ends = [(some[0], some[-1]) for some in (first, *others) if len(some) > 1]
        found += [Pair(label, *pair) for pair in [*ends, *_unlike(first, others)]]
    return found


def from_the_least(results: list[MeasuredCase], key: str) -> list[Pair]:
    """Return the pairs of the least of a key and each other one, of all that is alike.

    The least is one that can be compared with some other. What is unlike the rest is paired with
    the least of all: a refusal can name it.
    """
    found = []
    for label, group in groups(results, key).items():
        first, *others = _alike(group, key)
        for some in (first, *others):
            base = _first_comparable(some, key)
            found += [Pair(label, smaller, some[base]) for smaller in some[:base]]
            found += [Pair(label, some[base], larger) for larger in some[base + 1 :]]
        found += [Pair(label, *pair) for pair in _unlike(first, others)]
    return found


def neighbours(results: list[MeasuredCase], key: str) -> list[Pair]:
    """Return the pairs of neighbours along an axis, for every group that differs in it alone.

    Neighbours are next to each other among all that is alike; those that are next to each other on
    the axis and unlike are pairs, too: a refusal can name them.
    """
    found = []
    for label, group in groups(results, key).items():
        alike = _alike(group, key)
        ranked = _sorted(group, key)
        place = {id(result): i for i, result in enumerate(ranked)}
        together = {id(result): i for i, some in enumerate(alike) for result in some}
        both = [pair for some in alike for pair in pairwise(some)]
        both += [(a, b) for a, b in pairwise(ranked) if together[id(a)] != together[id(b)]]
        both.sort(key=lambda pair: (place[id(pair[0])], place[id(pair[1])]))
        found += [Pair(label, *pair) for pair in both]
    return found


def extremes(group: list[MeasuredCase], key: str) -> tuple[MeasuredCase, MeasuredCase]:
    """Return the least and the most of a key; of `execution`, eager comes first."""
    ranked = _sorted(group, key)
    return ranked[0], ranked[-1]


def refusals(question: str, problems: Iterable[tuple[Pair, str | None]]) -> list[str]:
    """Return a sentence for each problem, which names all pairs that have it.

    Args:
        question: The beginning of the sentence, e.g. `Whether adding GPUs makes training faster`.
        problems: The reason why each pair was not compared; None for one that was.
    """
    refused: dict[str, dict[str, list[Pair]]] = {}
    for pair, problem in problems:
        if problem is not None:
            by_label = refused.setdefault(problem, {})
            by_label.setdefault(pair.label.removesuffix(": "), []).append(pair)
    return [
        f"{question} {CANNOT} for {_named(by_label)}: {problem}."
        for problem, by_label in refused.items()
    ]


def _named(by_label: dict[str, list[Pair]]) -> str:
    """Return the values of all pairs: `1 and 2 GPUs, 1 and 4 GPUs (depth 10; depth 20)`."""
    labels: dict[str, list[str]] = {}
    for label, found in by_label.items():
        names = _first_few([_values(pair) for pair in found], "pairs")
        labels.setdefault(", ".join(names), []).append(label)
    return ", ".join(
        f"{names} ({'; '.join(_first_few(found, 'groups'))})" if any(found) else names
        for names, found in labels.items()
    )


def _first_few(names: list[str], kind: str) -> list[str]:
    names = list(dict.fromkeys(names))
    more = len(names) - NAMED
    return [*names[:NAMED], f"{more} more {kind}"] if more > 0 else names


def _values(pair: Pair) -> str:
    keys = differing([pair.least, pair.most])
    if keys == ["gpus"]:
        return f"{pair.least.case.gpus} and {pair.most.case.gpus} {heading('gpus')}"
    texts = [
        " ".join(key_text(result.case, key) for key in keys) for result in (pair.least, pair.most)
    ]
    return f"{' and '.join(map(key_name, keys))} {' and '.join(texts)}"


def _alike(group: list[MeasuredCase], key: str) -> list[list[MeasuredCase]]:
    """Split a group by all that forbids a comparison, each part sorted by the key.

    One that cannot be compared with anything is a part of its own.
    """
    scope = common_scope(group)
    found: dict[object, list[MeasuredCase]] = {}
    for result in _sorted(group, key):
        its = conditions(result, scope)
        alike = tuple(value for name, value in its.items() if name != FOLLOWS.get(key))
        alone = None if why_unfit(result) is None else id(result)
        found.setdefault((result.emulated, alike, alone), []).append(result)
    return list(found.values())


def _unlike(
    first: list[MeasuredCase], others: list[list[MeasuredCase]]
) -> list[tuple[MeasuredCase, MeasuredCase]]:
    return [(first[0], some[0]) for some in others]


def _first_comparable(some: list[MeasuredCase], key: str) -> int:
    """Return the place of the first that can be compared with another one; without any, 0."""
    for place, result in enumerate(some):
        for other in some:
            if other is not result and why_incomparable(result, other, key) is None:
                return place
    return 0


def _sorted(group: list[MeasuredCase], key: str) -> list[MeasuredCase]:
    """Sort by a number; names keep their order, but for `execution`, of which eager is first."""
    if key == "execution":
        return sorted(group, key=lambda result: result.case.execution, reverse=True)
    if isinstance(getattr(group[0].case, key), str):
        return group
    return sorted(group, key=lambda result: int(getattr(result.case, key)))
