"""Labels that tell a case from others: cells of a row, start of a sentence, words of a drawing."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Protocol

from report.data.measured import MeasuredCase
from report.wording.names import (
    HOW,
    balance_words,
    gpu_count,
    gradients_words,
    key_name,
    key_text,
    schedule_name,
    setting_text,
    value_text,
)
from report.wording.units import count_of
from study.case import ARGUMENT, Case
from study.schedules import SCHEDULES
from study.values.keys import KEYS

OWN = tuple(key for key in KEYS if key != "args")


class HasCase(Protocol):
    """A measured case, or a pair of them."""

    @property
    def case(self) -> Case:
        """The configuration."""

    @property
    def emulated(self) -> bool:
        """True if its GPUs are emulated."""


def differs(cases: Iterable[HasCase], key: str) -> bool:
    """Return True if the cases have several values of this key."""
    if key in KEYS:  # read without a call for each of thousands of cases
        return len(set(map(attrgetter(f"case.{key}"), cases))) > 1
    return len({result.case.value(key) for result in cases}) > 1


def keys_of(cases: Iterable[Case]) -> list[str]:
    """Return the keys of a case, with `args.<name>` for each argument of these."""
    arguments = sorted({name for case in cases for name in case.arguments})
    return [*OWN, *(f"{ARGUMENT}{name}" for name in arguments)]


def differing(cases: Sequence[HasCase], *besides: str) -> list[str]:
    """Return the keys in which the cases differ, without `besides` and `repeat`."""
    keys = keys_of(result.case for result in cases)
    return [key for key in keys if key not in (*besides, "repeat") and differs(cases, key)]


def telling(cases: Sequence[HasCase], *besides: str) -> list[str]:
    """Return `differing` without keys that some cases lack and all others have alike.

    Eight micro-batches of every pipeline tell none from another, and naive has none.
    """
    return [
        key
        for key in differing(cases, *besides)
        if key in ("kind", "schedule")
        or len({one.case.value(key) for one in cases if one.case.has_key(key)}) > 1
    ]


class Labels:
    """The first cells of each row: GPUs, and the keys that tell the cases apart, depth first."""

    def __init__(self, cases: Sequence[HasCase]) -> None:
        self.headings = {key: key_name(key) for key in telling(cases, "gpus")}

    def of(self, row: HasCase) -> dict[str, str]:
        """Return the cells of a case by the headings of their columns."""
        cells = {name: key_text(row.case, key) for key, name in self.headings.items()}
        depth = {name: cells.pop(name) for name in ("depth",) if name in cells}
        return depth | {"GPUs": gpu_count(row.case, row.emulated)} | cells


def sentence_label(result: MeasuredCase, keys: Iterable[str]) -> str:
    """Return the values of these keys as the start of a sentence: `depth 20: `."""
    return "".join(_as_in_a_grid(key, result.case) for key in keys)


def _as_in_a_grid(key: str, case: Case) -> str:
    value = case.value(key)
    shown = str(value) if key in ("schedule", "kind") else value_text(key, value)
    return f"{key_name(key) if key == 'sha256' else key} {shown}: "


def label(result: MeasuredCase, results: Sequence[MeasuredCase], besides: str = "") -> str:
    """Return the label of a case in a drawing: its GPUs, and the keys in which the cases differ.

    Args:
        result: The case.
        results: All cases of the drawing.
        besides: A key that the drawing shows by other means.
    """
    text = _label(result, results, besides)
    return f"{text} (emulated)" if result.emulated else text


def schedule_label(result: MeasuredCase, results: Sequence[MeasuredCase]) -> str:
    """Return the schedule and the keys in which the cases differ, without the GPU count."""
    keys = telling(results, "gpus")
    has_settings = {*HOW} & {*keys} > {"schedule"}
    name = schedule_name(result.case) if has_settings else SCHEDULES[result.case.schedule].label
    more = [setting_text(result.case, key) for key in keys if key not in HOW]
    return ", ".join([name, *more])


def series(results: Sequence[MeasuredCase], key: str) -> dict[str, list[MeasuredCase]]:
    """Return the cases that differ in this key alone, sorted by it, by their common label."""
    found: dict[str, list[MeasuredCase]] = {}
    name = _label if key == "gpus" else label  # emulated and real GPU counts are one series
    for result in sorted(results, key=lambda r: _rank(r.case.value(key))):
        found.setdefault(name(result, results, key), []).append(result)
    return found


def _rank(value: object) -> float:
    return value if isinstance(value, int | float) else 0


def _label(result: MeasuredCase, results: Sequence[MeasuredCase], besides: str) -> str:
    keys = [key for key in ("gpus", *telling(results, "gpus")) if key != besides]
    words = [_word(key, result.case) for key in keys if _shows(result.case, key)]
    if len({r.hardware for r in results}) > 1:
        words.append(result.hardware)
    return ", ".join(words)


def _shows(case: Case, key: str) -> bool:
    return key == "kind" or case.has_key(key)


def _word(key: str, case: Case) -> str:
    value = case.value(key)
    if key == "gpus":
        return count_of(value, "GPU")
    if key == "micro_batches":
        return count_of(value, "micro-batch", "micro-batches")
    if key == "data_parallel":
        return count_of(value, "replica")
    if key == "balance":
        return balance_words(value)
    if key == "gradients":
        return gradients_words(value)
    names = isinstance(value, str) and key not in ("norm", "sha256") and not _is_argument(key)
    return key_text(case, key) if names else f"{key_name(key)} {value_text(key, value)}"


def _is_argument(key: str) -> bool:
    return key.startswith(ARGUMENT)
