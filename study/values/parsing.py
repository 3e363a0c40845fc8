"""Values as a person types them on a command line. Only this needs YAML, which no job needs."""

import re
from typing import Any

from study.case import ARGUMENT
from study.errors import ConfigError
from study.quoting import quoted
from study.storage.yaml_file import plain_value
from study.values.keys import KEYS, allowed, check_value, value_type


def parse_value(key: str, text: str, source: object) -> Any:
    """Return a value that was written on a command line, converted like by `check_value`.

    Args:
        key: a key of a case, or `args.<name>`.
        text: the value as a person typed it.
        source: the option that an error names.

    Raises:
        ConfigError: the key is unknown, or the text is no value of it.
    """
    if key.startswith(ARGUMENT):
        return check_value(key, plain_value(text), source)
    if key == "balance":
        text = re.sub(r"\s+", "", text.strip().removeprefix("[").removesuffix("]"))
    if key in KEYS and value_type(key) is not str:
        try:
            return check_value(key, _PARSERS[value_type(key)](text), source)
        except (ValueError, OverflowError):
            raise ConfigError(source, f"{key}: {quoted(text)} is not {allowed(key)}") from None
    return check_value(key, text, source)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


_PARSERS: dict[type, Any] = {int: int, float: float, bool: _truth}
