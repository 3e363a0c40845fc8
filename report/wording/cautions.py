"""Cautions within sentences: each said once below them, or in words where no page has room.

A sentence carries its cautions as a mark of characters that the text of no data keeps
(study/text.py), until the sentences of a section are known.
"""

import re
from collections.abc import Iterable, Sequence

from report.wording.units import plural

BEGIN, BETWEEN, END = "\ue000", "\ue001", "\ue002"  # private use: no printable text has them
_MARK = re.compile(f"{BEGIN}([^{BEGIN}{END}]*){END}")


def mark(cautions: Sequence[str]) -> str:
    """Return the cautions of a figure, in parentheses after a space; empty without any.

    Args:
        cautions: Short phrases, the worst first.
    """
    return f" ({inner_mark(cautions)})" if cautions else ""


def inner_mark(cautions: Sequence[str]) -> str:
    """Return the same for a place that is in parentheses already."""
    return f"{BEGIN}{BETWEEN.join(cautions)}{END}"


def spelled_out(text: str) -> str:
    """Return the text with its cautions in words: `(caution: another job ran there)`."""
    in_words = _in_one_pair(text)
    return _MARK.sub(lambda found: f"caution: {' and '.join(_split(found))}", in_words)


def numbered(texts: Iterable[str], numbers: dict[str, int]) -> list[str]:
    """Return the texts with numbers in place of cautions: `(cautions 1, 2)`.

    Args:
        texts: The sentences.
        numbers: The number of each caution; new ones are added.
    """

    def number(found: re.Match[str]) -> str:
        its = [numbers.setdefault(text, len(numbers) + 1) for text in _split(found)]
        return f"{plural(len(its), 'caution', 'cautions')} {', '.join(map(str, sorted(its)))}"

    return [_MARK.sub(number, _in_one_pair(text)) for text in texts]


def marks_in(texts: Iterable[str]) -> int:
    """Return how many figures in these texts have cautions."""
    return sum(len(_MARK.findall(text)) for text in texts)


def _in_one_pair(text: str) -> str:
    """Return the text with `(95 % CI …; caution)` where a mark follows other parentheses."""
    return text.replace(f") ({BEGIN}", f"; {BEGIN}")


def _split(found: re.Match[str]) -> list[str]:
    return found[1].split(BETWEEN)
