"""Which measurements may be compared, and what sentences share."""

from collections.abc import Callable
from dataclasses import dataclass

from report.hardware import hardware
from report.measured import Measured

CANNOT = "cannot be told from these results"
MIN_STEPS = 3


@dataclass(frozen=True)
class Pair:
    """The measurements with the least and the most of one key, all other keys equal.

    `label` begins the sentence about them where several pairs differ in something else.
    """

    label: str
    least: Measured
    most: Measured


def pairs(results: list[Measured], key: str) -> list[Pair]:
    """A pair for every group of measurements that differ in `key` alone."""
    groups: dict[tuple[object, ...], list[Measured]] = {}
    others = [k for k in results[0].case.as_dict() if k != key]
    for result in results:
        groups.setdefault(tuple(getattr(result.case, k) for k in others), []).append(result)
    varying = [k for k in others if len({getattr(r.case, k) for r in results}) > 1]
    return [
        Pair(_label(group[0], varying), _extreme(group, key, min), _extreme(group, key, max))
        for group in groups.values()
        if len(group) > 1
    ]


def _label(result: Measured, varying: list[str]) -> str:
    return "".join(f"{key} {getattr(result.case, key)}: " for key in varying)


def _extreme(group: list[Measured], key: str, choose: Callable[..., Measured]) -> Measured:
    return choose(group, key=lambda result: int(getattr(result.case, key)))


def incomparable(a: Measured, b: Measured) -> str | None:
    """Why these step times must not be compared, if so."""
    if a.emulated != b.emulated:
        return "some results are emulated and some are not"
    if hardware(a) != hardware(b):
        names = sorted([hardware(a), hardware(b)])
        return f"they were measured on different hardware ({'; '.join(names)})"
    if min(len(a.steps_s), len(b.steps_s)) < MIN_STEPS:
        return f"it takes {MIN_STEPS} timed steps a case"
    return None


def plural(count: int, one: str) -> str:
    """The word, with an s unless there is exactly one."""
    return one if count == 1 else f"{one}s"
