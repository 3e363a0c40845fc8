"""Clean text from data before a terminal or any format gets it."""

import json
import re

_NOT_ASCII = re.compile(r"[^\n -~]")
MOST = 1000  # characters of a line that a person reads


def printable(text: str, keep: str = "") -> str:
    """Replace each control character, direction mark and half of a pair by a space."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else " " for c in text)


def escaped_in_json(text: str) -> str:
    r"""Return JSON with `\uXXXX` for what it may hold as it is and a terminal might obey."""
    return _NOT_ASCII.sub(_escaped_unless_printable, text)


def _escaped_unless_printable(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def one_line(text: str) -> str:
    """Return the printable text on one line."""
    return " ".join(printable(text).split())


def count_of(count: int, one: str) -> str:
    """Return `1 node`, `2 nodes`.

    Args:
        count: of things.
        one: the word for one of them.
    """
    return f"{count} {one}" if count == 1 else f"{count} {one}s"


def shortened(text: str) -> str:
    """Return the text on one line, with its middle left out where it is very long."""
    line = one_line(text)
    return line if len(line) <= MOST else f"{line[: MOST // 2]} … {line[-MOST // 2 :]}"
