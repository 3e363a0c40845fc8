"""Text that comes from data, before it becomes part of any format."""


def printable(text: str, keep: str = "") -> str:
    """A space for each control character, direction mark and half of a pair, but for those kept."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else " " for c in text)


def one_line(text: str) -> str:
    """The printable text on one line."""
    return " ".join(printable(text).split())
