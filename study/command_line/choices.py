"""Several values of a key in one `--set`, where cases are only looked at."""

from itertools import product

from study.command_line.parser import is_list


def each_choice(texts: list[str]) -> list[list[str]]:
    """Return the `--set` texts once for each combination of values, e.g. of `gpus=2,4`.

    Args:
        texts: KEY=VALUE or KEY=VALUE,VALUE.
    """
    return [list(texts) for texts in product(*map(_values, texts))]


def without_lists(texts: list[str]) -> list[str]:
    """Return those that have one value."""
    return [text for text in texts if len(_values(text)) == 1]


def _values(text: str) -> list[str]:
    key, equals, value = text.partition("=")
    if not equals or not is_list(key, value):
        return [text]
    parts = value.removeprefix("[").removesuffix("]").split(",")
    return list(dict.fromkeys(f"{key}={part.strip()}" for part in parts))
