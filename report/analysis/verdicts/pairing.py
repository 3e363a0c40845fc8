"""Pairs of measurements that differ in one key alone."""

from dataclasses import dataclass

from report.analysis.verdicts.disturbances import why_unfit
from report.data.conditions import FOLLOWS, conditions
from report.data.labels import differing, differs, sentence_label
from report.data.measured import MeasuredCase
from report.data.variables import common_scope

CANNOT = "cannot be told from these results"


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


def _sorted(group: list[MeasuredCase], key: str) -> list[MeasuredCase]:
    """Sort by a number; names keep their order, but for `execution`, of which eager is first."""
    if key == "execution":
        return sorted(group, key=lambda result: result.case.execution, reverse=True)
    values = [result.case.value(key) for result in group]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return group
    return sorted(group, key=lambda result: float(result.case.value(key)))
