"""Text that comes from data, before a terminal or any format gets it."""

import re

# C1 controls, marks of direction and of no width, separators of lines, and halves of pairs.
_UNPRINTABLE = re.compile(
    "[\x7f-\xa0\xad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ud800-\udfff]"
)
MOST = 1000  # characters of a line that a person reads


def printable(text: str, keep: str = "") -> str:
    """A space for each control character, direction mark and half of a pair, but for those kept."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else " " for c in text)


def escaped_in_json(text: str) -> str:
    r"""Return JSON with `\uXXXX` for what it may hold as it is and a terminal might obey."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """The printable text on one line."""
    return " ".join(printable(text).split())


def shortened(text: str) -> str:
    """Return the text on one line, with its middle left out where it is very long."""
    line = one_line(text)
    return line if len(line) <= MOST else f"{line[: MOST // 2]} … {line[-MOST // 2 :]}"
