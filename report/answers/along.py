"""Neighbours along an axis: each case with the one before it that it can be compared with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from report.analysis.comparison import CANNOT, Pair, verdict, why_incomparable
from report.answers.phrases import label_of, listed
from report.data.labels import differing, differs
from report.data.measured import MeasuredCase
from report.wording.names import value_text
from study.statistics.comparison import Comparison


@dataclass(frozen=True)
class Along:
    """The cases of one group along an axis.

    Attributes:
        key: The axis.
        label: Begins the sentences about the group; empty where there is only one.
        cases: All of them, in order of the axis.
        compared: Each case with the nearest one before it that it may be compared with.
        refused: Pairs of cases without such a one, with the reason.
    """

    key: str
    label: str
    cases: list[MeasuredCase]
    compared: list[Pair] = field(default_factory=list)
    refused: list[tuple[Pair, str]] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        """The verdict of each compared pair."""
        return [verdict_on(pair).kind for pair in self.compared]

    @property
    def drift(self) -> Pair | None:
        """The least and the most, if they differ though no two neighbours are known to."""
        if {"faster", "slower"} & set(self.kinds) or len(self.compared) < 2:
            return None
        ends = self.ends[0]
        return ends if verdict_on(ends).kind in ("faster", "slower") else None

    @property
    def ends(self) -> list[Pair]:
        """The least with the most, and of GPUs the least that split the model with the most.

        The only pair, where there is one.
        """
        if len(self.compared) < 2:
            return self.compared
        most = self.compared[-1].most
        others = [case for case in self.cases if case is not most]
        cases = [r for r in others if why_incomparable(r, most, self.key) is None]
        splits = [r for r in cases[1:2] if self.key == "gpus" and cases[0].case.gpus == 1]
        return [Pair(self.label, first, most) for first in (cases[0], *splits)]


def along(
    results: Sequence[MeasuredCase], key: str, keys: Sequence[str] | None = None
) -> list[Along]:
    """Return every group of cases that differ in `key` alone, with its neighbours.

    Args:
        results: All cases.
        key: The axis; numbers are sorted, names stay in order and are compared with the first.
        keys: The keys that label a group; by default those in which groups differ.
    """
    if not differs(results, key):
        return []
    labels = differing(results, key) if keys is None else keys
    groups: dict[str, list[MeasuredCase]] = {}
    for result in results:
        groups.setdefault(label_of(result, labels), []).append(result)
    return [_group(label, cases, key) for label, cases in groups.items() if len(cases) > 1]


def _group(label: str, cases: list[MeasuredCase], key: str) -> Along:
    def why_not(a: MeasuredCase, b: MeasuredCase) -> str | None:
        return why_incomparable(a, b, key)

    named = not all(is_number(result.case.value(key)) for result in cases)
    ranked = cases if named else sorted(cases, key=lambda r: float(r.case.value(key)))
    found = Along(key, label, ranked)
    for at, case in enumerate(ranked[1:], start=1):
        before = ranked[:1] if named else ranked[at - 1 :: -1]
        other = next((b for b in before if why_not(b, case) is None), None)
        if other is not None:
            found.compared.append(Pair(label, other, case))
        else:
            found.refused.append((Pair(label, before[0], case), why_not(before[0], case) or ""))
    return found


def is_number(value: object) -> bool:
    """Return True for a value that has an order: no text, and neither true nor false."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(result: MeasuredCase, key: str) -> object:
    """Return a value of an axis in words; a number as it is."""
    value = result.case.value(key)
    return value if is_number(value) or key == "schedule" else value_text(key, value)


@cache
def verdict_on(pair: Pair) -> Comparison:
    """Return the verdict on the second case of a pair compared with its first."""
    return verdict(pair.least, pair.most)


def refusals_along(group: Along, question: str, key: str, unit: str) -> list[str]:
    """Return a sentence for each reason why pairs of a group cannot be compared; it names them.

    Args:
        group: The cases.
        question: Begins each sentence.
        key: The axis.
        unit: Words with the values in place of `{}`: `{} GPUs`.
    """
    reasons: dict[str, dict[object, None]] = {}
    for pair, problem in group.refused:
        values = reasons.setdefault(problem, {})
        values |= dict.fromkeys(_shown(r, key) for r in (pair.least, pair.most))
    return [
        f"{group.label}{question} {CANNOT} between {unit.format(listed(values))}: {problem}."
        for problem, values in reasons.items()
    ]
