"""Several values of a key in one `--set`, where cases are only looked at."""

from itertools import product
from math import prod

from study.command_line.parser import is_list
from study.errors import ConfigError

MOST = 1_000  # combinations


def each_choice(texts: list[str]) -> list[list[str]]:
    """Return the `--set` texts once for each combination of values, e.g. of `gpus=2,4`.

    Args:
        texts: KEY=VALUE or KEY=VALUE,VALUE.

    Raises:
        ConfigError: there are too many.
    """
    each = [_values(text) for text in texts]
    if (count := prod(map(len, each))) > MOST:
        raise ConfigError(
            "--set", f"{count} combinations of values are more than {MOST}; set fewer"
        )
    return [list(texts) for texts in product(*each)]


def without_lists(texts: list[str]) -> list[str]:
    """Return those that have one value."""
    return [text for text in texts if len(_values(text)) == 1]


def with_lists(texts: list[str]) -> list[str]:
    """Return those that have several."""
    return [text for text in texts if len(_values(text)) > 1]


def _values(text: str) -> list[str]:
    key, equals, value = text.partition("=")
    if not equals or not is_list(key, value):
        return [text]
    parts = value.removeprefix("[").removesuffix("]").split(",")
    return list(dict.fromkeys(f"{key}={part.strip()}" for part in parts))
