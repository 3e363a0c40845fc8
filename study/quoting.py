"""Quote a value in an error, in few characters whatever it is."""

import reprlib
from typing import Any

LONGEST = 80  # characters of a quoted value


class _Short(reprlib.Repr):
    """A repr that looks at no more of a nested value than it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 8
        self.maxstring = self.maxother = LONGEST

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write an int of thousands of digits in decimal.
        return super().repr_int(x, level) if x.bit_length() < 1000 else "a number too long to show"


_SHORT = _Short()


def quoted(value: Any) -> str:
    """Return the value as Python writes it, in at most 80 characters."""
    text = _SHORT.repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."
