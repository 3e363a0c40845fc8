"""Phrases that several answers share: names of cases, lists, shares of a step."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.wording.hardware import shared_device
from report.wording.names import HOW, begun, key_text, schedule_name, setting_text
from report.wording.units import count_of
from study.case import Case

NEAR = 0.02  # shares of a step that differ by less are given as one
MOST_GROUPS = 12  # with sentences of their own
MOST_LABELS = 6  # of a sentence that is the same for several groups
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
            "tenth")  # fmt: skip


def listed(items: Iterable[object]) -> str:
    """Return `a, b and c`."""
    *others, last = map(str, items)
    return f"{', '.join(others)} and {last}" if others else last


def label_of(result: MeasuredCase, keys: Iterable[str]) -> str:
    """Return the start of a sentence about a case: `Depth 10, GPipe with 10 micro-batches: `.

    Args:
        result: The case.
        keys: The keys that tell it from the others; none gives an empty label.
    """
    return case_label(result.case, keys, result.gpus)


def case_label(case: Case, keys: Iterable[str], gpus: str = "") -> str:
    """Return the same for a case that may have no measurement.

    Args:
        case: The case.
        keys: The keys that tell it from the others; none gives an empty label.
        gpus: Its number of GPUs in words.
    """
    text = case_words(case, keys, gpus)
    return f"{begun(text)}: " if text else ""


def case_words(case: Case, keys: Iterable[str], gpus: str = "") -> str:
    """Return the values of these keys within a sentence: `depth 10, 2 GPUs`.

    Args:
        case: The case.
        keys: The keys that tell it from the others.
        gpus: Its number of GPUs in words.
    """
    words: dict[str, None] = {}
    for key in keys:
        if key in HOW:
            words[schedule_name(case)] = None
        elif key == "gpus":
            words[gpus or count_of(case.gpus, "GPU")] = None
        elif key == "kind":
            words[key_text(case, key)] = None
        elif case.has_key(key):
            words[setting_text(case, key)] = None
    return ", ".join(words)


def groups_of(results: Sequence[MeasuredCase], *keys: str) -> dict[str, list[MeasuredCase]]:
    """Return the cases that differ in `keys` alone, by the label of each group."""
    others = differing(results, *keys)
    found: dict[str, list[MeasuredCase]] = {}
    for result in results:
        found.setdefault(label_of(result, others), []).append(result)
    return found


def per_group(
    results: Sequence[MeasuredCase], key: str, tell: Callable[[list[MeasuredCase]], list[str]]
) -> list[str]:
    """Return what there is to tell of the groups of cases that differ in one key alone.

    A sentence that is the same for several groups is said once, with their labels. Of many groups
    the first few are told of; the table has all.

    Args:
        results: All cases.
        key: The key in which the cases of a group differ.
        tell: Returns the sentences of a group, without its label.
    """
    labels: dict[str, list[str]] = {}
    groups = groups_of(results, key)
    for label, group in islice(groups.items(), MOST_GROUPS):
        for text in tell(group):
            labels.setdefault(text, []).append(label.removesuffix(": "))
    told = [f"{_labels(found)}{text}" for text, found in labels.items()]
    return [*told, *more_settings(len(groups))]


def more_settings(groups: int) -> list[str]:
    """Return a sentence on the groups that are not told of, if there are such."""
    more = groups - MOST_GROUPS
    return [f"The table has {count_of(more, 'more setting')}."] if more > 0 else []


def _labels(found: list[str]) -> str:
    named = found[:MOST_LABELS]
    more = len(found) - len(named)
    text = f"{'; '.join(named)}; and {more} more" if more else "; ".join(named)
    return f"{text}: " if any(found) else ""


def shares(values: Sequence[float]) -> str:
    """Return `about 55 %`, or `18 to 22 %` where they differ by more."""
    low, high = min(values), max(values)
    if high - low < NEAR:
        return f"about {share(sum(values) / len(values))}"
    return f"{share(low).removesuffix(' %')} to {share(high)}"


def share(value: float) -> str:
    """Return a share as percent with two digits."""
    percent = 100 * value
    return f"{percent:.0f} %" if percent >= 10 else f"{float(f'{percent:.2g}'):g} %"


def about(value: float) -> str:
    """Return a number of GPUs at work with two digits: `1.1`; three if two are a whole number."""
    return f"{value:.3g}" if float(f"{value:.2g}").is_integer() else f"{value:.2g}"


def ordinal(number: int) -> str:
    """Return the word for a place in a row that begins with 1: `fourth`, `21st`."""
    if number <= len(ORDINALS):
        return ORDINALS[number - 1]
    last = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else last}"


def on_gpus(result: MeasuredCase) -> str:
    """Return `on 2 GPUs`, or `on 5 emulated GPUs`."""
    if not result.emulated:
        return f"on {count_of(result.case.gpus, 'GPU')}"
    return f"on {count_of(result.case.gpus, 'emulated GPU')}"


def emulation_remark(results: Sequence[MeasuredCase]) -> str:
    """Return `, on GPUs that were emulated by one GPU`; empty where all are real."""
    if any(r.emulated and r.program is not None for r in results):
        return ", without GPUs"
    devices = dict.fromkeys(shared_device(r.environment) for r in results if r.emulated)
    return f", on GPUs that were emulated by {listed(devices)}" if devices else ""
