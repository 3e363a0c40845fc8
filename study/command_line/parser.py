"""Command lines: errors of one line, like those of any other input, and `--set KEY=VALUE`."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from study.case import ARGUMENT
from study.errors import ConfigError
from study.quoting import quoted
from study.storage.yaml_file import plain_value
from study.values.completion import PRESET
from study.values.parsing import parse_value

_NOT_SET = {
    "args": "set one argument at a time, e.g. args.width=64",
    "sha256": "it is that of the factory's file; remove it",
    "calibrates": "submit.py --grid calibration --for GRID finds it from GRID; remove it",
}


class OneLineParser(argparse.ArgumentParser):
    """A parser of arguments without the usage text in front of an error.

    Args:
        option_for: returns the option that a word without one may belong to, or None.
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
        """Exit with 2 and one line."""
        self.exit(2, f"error: {message}; see --help\n")


def parse_overrides(texts: list[str]) -> dict[str, Any]:
    """Return the checked values of all `--set`, by key.

    Raises:
        ConfigError: one is no KEY=VALUE, unknown, given twice or no value of its key.
    """
    overrides: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError("--set", f"{quoted(text)} is not KEY=VALUE; write e.g. depth=8")
        if key in overrides:
            raise ConfigError("--set", f"{key} is given twice; give it once")
        if key in _NOT_SET:
            raise ConfigError("--set", f"{key}: {quoted(value)}; {_NOT_SET[key]}")
        if is_list(key, value):
            raise ConfigError(
                "--set",
                f"{key}: {quoted(value)} is a list, and --set takes one value; lists go into the "
                f"axes of a grid file, e.g. axes: {{{key}: [{value.strip('[]')}]}}",
            )
        overrides[key] = value if key == PRESET else parse_value(key, value, "--set")
    return overrides


def is_list(key: str, value: str) -> bool:
    """Return whether a value must be meant as several; a text may have a comma."""
    if "," not in value or key in ("balance", "factory", "command"):
        return False
    if not key.startswith(ARGUMENT):
        return True
    parts = value.removeprefix("[").removesuffix("]").split(",")
    return not any(isinstance(plain_value(part.strip()), str) for part in parts)
