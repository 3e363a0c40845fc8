"""Cautions about a pair: what differed between two measurements, or disturbed one of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from report.analysis.verdicts.clock_gap import ClockGap, find_clock_gap
from report.analysis.verdicts.disturbances import (
    CLOCKS_UNKNOWN,
    has_few_steps,
    is_unsteady,
    may_be_unsteady,
    shared_hosts,
    steps_of,
)
from report.data.clocks import are_unknown, faults
from report.data.commits import why_code_differs
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.data.transports import why_transports_differ
from report.data.variables import why_variables_may_differ
from report.wording.names import HOW, schedule_in_text, setting_text
from report.wording.units import between, count_of
from study.schedules import SCHEDULES

MOST = 3  # cautions in a sentence
Places = tuple[str, str]


@dataclass(frozen=True)
class Caution:
    """A short phrase; `disturbs` if the size of the difference is not to be trusted."""

    text: str
    disturbs: bool


def find_cautions(a: MeasuredCase, b: MeasuredCase, places: Places | None = None) -> list[Caution]:
    """Return the cautions about a pair, the most important first.

    The size of a difference is not to be trusted where clocks differ, heat or the supply slowed a
    GPU, a warm-up was not steady, a side has few steps, or a CPU that computes ran another job. A
    power cap that leaves both sides the same clocks is how such GPUs work, and no caution. Another
    job on a host whose GPUs compute, other commits and unknown clocks change no digit.

    Args:
        a: A measurement.
        b: Another one.
        places: Phrases that tell one from the other, e.g. `on 5 GPUs`; else made from the keys.
    """
    sides = list(zip((a, b), places or places_of(a, b), strict=True))
    found = [Caution(text, disturbs=True) for text in _disturbing(sides)]
    found += [Caution(text, disturbs=False) for text in _minor(sides)]
    return found[:MOST]


def places_of(a: MeasuredCase, b: MeasuredCase) -> Places:
    """Return phrases that tell two cases apart: `on 5 GPUs`, `at depth 6`, `under 1F1B`."""
    keys = differing([a, b])
    if not keys:
        return "in the first", "in the second"
    return _place(a, keys), _place(b, keys)


def clock_words(gap: ClockGap, places: Places) -> str:
    """Return the clocks of the side with the lower ones."""
    where = places[1] if gap.slows_second else places[0]
    reasons = f" ({', '.join(gap.lower.reasons)})" if gap.lower.reasons else ""
    return f"GPU {gap.lower.index} ran at {gap.lower.range} {where}{reasons}"


def _place(result: MeasuredCase, keys: list[str]) -> str:
    words = []
    if "schedule" in keys:
        words.append(f"under {SCHEDULES[result.case.schedule].label}")
    elif {*HOW} & {*keys}:
        words.append(f"under {schedule_in_text(result.case)}")
    for key in keys:
        if key == "depth":
            words.append(f"at depth {result.case.depth}")
        elif key not in (*HOW, "gpus"):
            words.append(f"with {setting_text(result.case, key)}")
    if "gpus" in keys:
        words.append(f"on {count_of(result.case.gpus, 'GPU')}")
    return " ".join(words)


Sides = list[tuple[MeasuredCase, str]]


def _disturbing(sides: Sides) -> Iterator[str]:
    (a, first), (b, second) = sides
    if gap := find_clock_gap(a, b):
        yield clock_words(gap, (first, second))
    told = set(gap.lower.reasons) & (set(faults(a)) ^ set(faults(b))) if gap else set()
    for reason in dict.fromkeys([*faults(a), *faults(b)]):
        if reason in told:
            continue
        yield from _where(sides, f"a GPU was throttled ({reason})", _has_fault(reason))
    yield from _where(sides, "warm-up was not steady", is_unsteady)
    few = sorted(steps_of(side) for side, _ in sides if has_few_steps(side))
    if few:
        yield from _where(sides, f"there are only {between(few)} timed steps", has_few_steps)
    yield from _where(sides, "another job used the CPU", lambda r: _shares(r, on_cpu=True))


def _minor(sides: Sides) -> Iterator[str]:
    (a, _), (b, _) = sides
    yield from _where(
        sides,
        "another job ran on the same host",
        lambda r: _shares(r, on_cpu=False),
        place_first=True,  # else `on 3 GPUs` would be where the other job ran
    )
    yield from filter(
        None, (why_transports_differ(a, b), why_variables_may_differ(a, b), why_code_differs(a, b))
    )
    too_short = "warm-up was too short to tell whether it was steady"
    yield from _where(sides, too_short, may_be_unsteady)
    if are_unknown(a) != are_unknown(b):  # of both, the notes below the table say it
        yield from _where(sides, f"{CLOCKS_UNKNOWN}", are_unknown)


def _where(
    sides: Sides, text: str, holds: Callable[[MeasuredCase], bool], place_first: bool = False
) -> Iterator[str]:
    """Yield the text if it holds, with the place if it holds for one of the two alone.

    A place such as `on 3 GPUs` may come first, `after` never does.
    """
    places = [place for side, place in sides if holds(side)]
    if places:
        turned = place_first and " " in places[0]
        told = f"{places[0]}, {text}" if turned else f"{text} {places[0]}"
        yield text if len(places) == len(sides) else told


def _has_fault(reason: str) -> Callable[[MeasuredCase], bool]:
    return lambda result: reason in faults(result)


def _shares(result: MeasuredCase, on_cpu: bool) -> bool:
    return bool(shared_hosts(result)) and on_cpu is not bool(result.environment.gpus)
