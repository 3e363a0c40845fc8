"""Comparisons of measurements: which are valid, the verdict on two, words of their sentences."""

from dataclasses import dataclass

from report.data.conditions import FOLLOWS, conditions
from report.data.labels import differing, differs, sentence_label
from report.data.measured import MeasuredCase
from study.statistics.comparison import Comparison
from study.statistics.samples import are_enough

CANNOT = "cannot be told from these results"
# Axes that no task asks for, without those of how a case is measured. Depth, GPUs and execution
# have other answers.
SWEPT = ("dim", "batch_size", "split", "dtype", "optimizer")


@dataclass(frozen=True)
class Pair:
    """The measurements with the least and the most of one key, all other keys equal.

    `label` begins the sentence about them where several pairs differ in another key.
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
    """Return a pair for every group of measurements that differ in `key` alone."""
    return [
        Pair(label, *extremes(group, key))
        for label, group in groups(results, key).items()
        if len({getattr(result.case, key) for result in group}) > 1
    ]


def from_the_least(results: list[MeasuredCase], key: str) -> list[Pair]:
    """Return, per group, pairs of the measurement with the least of the key and each other one."""
    found = []
    for label, group in groups(results, key).items():
        least, *others = sorted(group, key=lambda result: int(getattr(result.case, key)))
        found += [Pair(label, least, other) for other in others]
    return found


def refusals(question: str, problems: list[tuple[Pair, str | None]]) -> list[str]:
    """Return a sentence for each problem, with the labels of all pairs that have it."""
    labels: dict[str, dict[str, None]] = {}
    for pair, problem in problems:
        if problem is not None:
            labels.setdefault(problem, {})[pair.label.removesuffix(": ")] = None
    return [
        f"{'; '.join(found) + ': ' if any(found) else ''}{question} {CANNOT}: {problem}."
        for problem, found in labels.items()
    ]


def is_swept_instead(results: list[MeasuredCase], key: str) -> bool:
    """Return True if the cases differ in a key of `SWEPT` and not in this one."""
    return not differs(results, key) and any(differs(results, swept) for swept in SWEPT)


def why_no_pair(results: list[MeasuredCase], key: str) -> str:
    """Return the reason why no two measurements differ in `key` alone."""
    if not differs(results, key):
        return f"it takes two values of {key}, all else equal"
    return f"the cases differ in {' and '.join(differing(results, key))}, too"


def extremes(group: list[MeasuredCase], key: str) -> tuple[MeasuredCase, MeasuredCase]:
    """Return the least and the most of a key; of `execution`, eager comes first."""
    ranked = sorted(group, key=lambda result: getattr(result.case, key), reverse=key == "execution")
    return ranked[0], ranked[-1]


def why_incomparable(
    a: MeasuredCase, b: MeasuredCase, *may_differ: str, any_software: bool = False
) -> str | None:
    """Return the reason why two step times must not be compared; None if they may be.

    Args:
        a: A measurement.
        b: Another one.
        may_differ: The keys that are compared; none for two runs of one configuration.
        any_software: Allow different versions of torch and of the driver.
    """
    if others := differing([a, b], *may_differ):
        return f"the cases differ in {' and '.join(others)}, too"
    if a.emulated != b.emulated:
        return "some results are emulated and some are not"
    left, right = conditions(a, any_software), conditions(b, any_software)
    follow = [FOLLOWS.get(key) for key in may_differ]
    for name in left:
        if left[name] != right[name] and name not in follow:
            values = "; ".join(sorted([left[name], right[name]]))
            return f"they were measured {name} ({values})"
    if not (are_enough(a.steps_s) and are_enough(b.steps_s)):
        return "there are too few timed steps or jobs for a confidence interval"
    return None


def verdict(a: MeasuredCase, b: MeasuredCase) -> Comparison:
    """Compare the step times of b with those of a, which must be comparable."""
    from study.statistics.bootstrap import compare  # imported here: it needs numpy and scipy

    found = compare(a.steps_s, b.steps_s)
    assert found is not None
    return found
