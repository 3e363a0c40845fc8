"""`--set KEY=VALUE`, as submit.py and collect.py take it."""

from typing import Any

from study.case import parse_value
from study.errors import ConfigError
from study.quoting import quoted


def parse_overrides(texts: list[str]) -> dict[str, Any]:
    """The arguments of all `--set` as checked values by key."""
    overrides: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError("--set", f"{quoted(text)} is not KEY=VALUE; write e.g. depth=8")
        if key in overrides:
            raise ConfigError("--set", f"{key} is given twice; give it once")
        if "," in value:
            raise ConfigError(
                "--set",
                f"{key}: {quoted(value)} is a list, and --set takes one value; lists go into the "
                f"axes of a grid file, e.g. axes: {{{key}: [{value.strip('[]')}]}}",
            )
        overrides[key] = parse_value(key, value, "--set")
    return overrides
