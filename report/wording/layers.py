"""Layers in few words: numbers, or names of which those that count on are a run."""

import re
from collections.abc import Sequence
from functools import lru_cache

from report.wording.units import UNKNOWN, runs
from study.text import one_line

MOST_RUNS = 4  # of neighbouring layers; of more, the first and the last are named
MOST_PLACES = 6  # runs of a GPU that holds layers here and there
LONGEST = 40  # characters of a name
_NUMBERED = re.compile(r"(.*?)([ ._-]?)(0|[1-9][0-9]{0,8})", re.DOTALL)


def layer_words(names: Sequence[str] | None, numbers: Sequence[int]) -> str:
    """Return `0–3, 5`, or by name `embedding, blocks 0–5`; a dash for no layers.

    Args:
        names: Names of all layers of the model; None where layers have numbers alone.
        numbers: Sorted numbers of the layers to name.
    """
    if names is None:
        return runs(list(numbers))
    places = [_neighbours([names[n] for n in place]) for place in _places(numbers)]
    more = len(places) - MOST_PLACES
    return ", ".join([*places[:MOST_PLACES], *([f"{more} more"] if more > 0 else [])]) or UNKNOWN


@lru_cache(10_000)
def short_name(name: str) -> str:
    """Return a name on one line, cut where it is long: anybody may have written it."""
    line = one_line(name) or "(no name)"
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _places(numbers: Sequence[int]) -> list[list[int]]:
    """Return the numbers in runs of neighbours."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][-1] == number - 1:
            found[-1].append(number)
        else:
            found.append([number])
    return found


def runs_of_names(names: Sequence[str], most: int) -> list[str] | None:
    """Return layers that follow one another as runs: `embedding`, `blocks 0–5`.

    None where there are more than `most` runs: then the first and the last name say more.
    """
    found: list[list[str]] = []
    for name in names:
        if found and _is_next(found[-1][-1], name):
            found[-1].append(name)
        else:
            found.append([name])
        if len(found) > most:
            return None
    return [_run(run) for run in found]


def _neighbours(names: Sequence[str]) -> str:
    """Return layers that follow one another: `embedding, blocks 0–5`, `embedding to head`."""
    found = runs_of_names(names, MOST_RUNS)
    if found is None:
        return f"{short_name(names[0])} to {short_name(names[-1])}"
    return ", ".join(found)


def _is_next(before: str, after: str) -> bool:
    if before == after:
        return True
    one, other = _NUMBERED.fullmatch(before), _NUMBERED.fullmatch(after)
    if one is None or other is None or one.group(1, 2) != other.group(1, 2):
        return False
    return int(other[3]) == int(one[3]) + 1


def _run(names: Sequence[str]) -> str:
    if len(names) == 1:
        return short_name(names[0])
    if names[0] == names[-1]:
        return f"{len(names)} × {short_name(names[0])}"
    first, last = _NUMBERED.fullmatch(names[0]), _NUMBERED.fullmatch(names[-1])
    if first is None or last is None:  # equal names, then another: cannot be a run
        return f"{short_name(names[0])} to {short_name(names[-1])}"
    plural = "s" if first[2] == " " and first[1].isalpha() else ""
    return f"{short_name(first[1] + plural) if first[1] else ''}{first[2]}{first[3]}–{last[3]}"
