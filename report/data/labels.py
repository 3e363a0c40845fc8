"""Labels that tell a case from others: cells of a row, start of a sentence, words of a drawing."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Protocol

from report.data.measured import MeasuredCase
from report.wording.names import HOW, gpu_count, key_name, key_text, schedule_name
from report.wording.units import count_of
from study.case import Case
from study.schedules import has_key
from study.values.keys import KEYS


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
    return len(set(map(attrgetter(f"case.{key}"), cases))) > 1


def differing(cases: Sequence[HasCase], *besides: str) -> list[str]:
    """Return the keys in which the cases differ, without `besides` and `repeat`."""
    return [key for key in KEYS if key not in (*besides, "repeat") and differs(cases, key)]


class Labels:
    """The first cells of each row: GPUs, and the keys in which the cases differ, depth first."""

    def __init__(self, cases: Sequence[HasCase]) -> None:
        self.headings = {key: key_name(key) for key in differing(cases, "gpus")}

    def of(self, row: HasCase) -> dict[str, str]:
        """Return the cells of a case by the headings of their columns."""
        cells = {name: key_text(row.case, key) for key, name in self.headings.items()}
        depth = {name: cells.pop(name) for name in ("depth",) if name in cells}
        return depth | {"GPUs": gpu_count(row.case, row.emulated)} | cells


def sentence_label(result: MeasuredCase, keys: Iterable[str]) -> str:
    """Return the values of these keys as the start of a sentence: `depth 20: `."""
    return "".join(f"{key} {getattr(result.case, key)}: " for key in keys)


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
    others = differing(results, *HOW, "gpus")
    more = [f"{key_name(key)} {key_text(result.case, key)}" for key in others]
    return ", ".join([schedule_name(result.case), *more])


def series(results: Sequence[MeasuredCase], key: str) -> dict[str, list[MeasuredCase]]:
    """Return the cases that differ in this key alone, sorted by it, by their common label."""
    found: dict[str, list[MeasuredCase]] = {}
    name = _label if key == "gpus" else label  # emulated and real GPU counts are one series
    for result in sorted(results, key=lambda r: _rank(getattr(r.case, key))):
        found.setdefault(name(result, results, key), []).append(result)
    return found


def _rank(value: object) -> int:
    return value if isinstance(value, int) else 0


def _label(result: MeasuredCase, results: Sequence[MeasuredCase], besides: str) -> str:
    keys = [key for key in ("gpus", *differing(results, "gpus")) if key != besides]
    words = [_word(key, result.case) for key in keys if has_key(key, result.case.schedule)]
    if len({r.hardware for r in results}) > 1:
        words.append(result.hardware)
    return ", ".join(words)


def _word(key: str, case: Case) -> str:
    value = getattr(case, key)
    if key == "gpus":
        return count_of(value, "GPU")
    if key == "micro_batches":
        return count_of(value, "micro-batch", "micro-batches")
    if key == "balance":
        return f"balanced by {value}"
    return key_text(case, key) if isinstance(value, str) else f"{key_name(key)} {value}"
