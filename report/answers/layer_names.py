"""Names of layers in a sentence: runs of those that are numbered, the ends of many."""

import re
from collections.abc import Sequence

from report.answers.phrases import listed
from report.wording.units import count_of
from study.text import one_line

NUMBERED = re.compile(r"(.*?)([ ._-]?)(\d{1,9})\Z", re.DOTALL)
MOST = 3  # names or runs of them; of more, the first and the last
LONGEST = 40  # characters of a name


def layers_words(names: Sequence[str]) -> str:
    """Return `embedding and blocks 0–5`, or of many kinds of names the first, the last and a count.

    The names are a run of a model's layers, in order.
    """
    runs = _runs([short_name(name) for name in names])
    if len(runs) <= MOST:
        return listed(map(_run, runs))
    return f"{short_name(names[0])} to {short_name(names[-1])}, {count_of(len(names), 'layer')}"


def _runs(names: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = []
    for name in names:
        if found and _follows(found[-1][-1], name):
            found[-1].append(name)
        else:
            found.append([name])
    return found


def _follows(before: str, after: str) -> bool:
    one, other = NUMBERED.match(before), NUMBERED.match(after)
    if one is None or other is None or one.group(1, 2) != other.group(1, 2):
        return False
    return int(other.group(3)) == int(one.group(3)) + 1


def _run(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    first, last = NUMBERED.match(names[0]), NUMBERED.match(names[-1])
    assert first is not None
    assert last is not None
    word, gap = first.group(1, 2)
    plural = "s" if gap == " " and word.isalpha() else ""
    return f"{word}{plural}{gap}{first.group(3)}–{last.group(3)}"


def short_name(name: str) -> str:
    """Return a name on one line, cut where it is long: a user may have written anything."""
    line = one_line(name) or "a layer without a name"
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
