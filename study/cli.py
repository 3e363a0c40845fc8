"""Command lines whose errors are one line, like every other error of a person's input."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn


class OneLineParser(argparse.ArgumentParser):
    """argparse, without the usage text in front of an error.

    Args:
        option_for: says which option a word without one may have been meant for; None for none.
    """

    def __init__(
        self, *, option_for: Callable[[str], str | None] = lambda word: None, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.option_for = option_for

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """Return the options; exit with 2 if there are words that belong to none."""
        options, stray = self.parse_known_args(args, namespace)
        if stray:
            meant = [f"{option} {word}" for word in stray if (option := self.option_for(word))]
            hint = f"; did you mean {' '.join(meant)}?" if meant else ""
            self.error(f"unrecognized arguments: {' '.join(stray)}{hint}")
        return options

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see --help\n")
