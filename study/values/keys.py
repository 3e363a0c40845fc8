"""The keys of a case: their types and defaults, and values checked for them."""

import math
import re
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from study.case import ARGUMENT, Argument, ArgumentName, Case
from study.errors import ConfigError
from study.quoting import quoted

KEYS: tuple[str, ...] = Case.__struct_fields__
DEFAULTS: dict[str, Any] = {
    field.name: None if field.required or field.default is UNSET else field.default
    for field in msgspec.structs.fields(Case)
}
_TYPES: dict[str, Any] = {
    key: get_args(hint)[0] if UnsetType in get_args(hint) else hint
    for key, hint in get_type_hints(Case, include_extras=True).items()
}


def folded(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with every `args.<name>` put into `args`, sorted by name."""
    own = {key: value for key, value in values.items() if not key.startswith(ARGUMENT)}
    named = {k.removeprefix(ARGUMENT): v for k, v in values.items() if k.startswith(ARGUMENT)}
    if named or "args" in own:
        own["args"] = tuple(sorted((dict(own.get("args", ())) | named).items()))
    return own


def check_value(key: str, value: Any, source: object) -> Any:
    """Return a value, converted to the type of its key.

    Args:
        key: a key of a case, or `args.<name>`.
        value: the value as YAML or Python has it.
        source: the file or option that an error names.

    Raises:
        ConfigError: the key is unknown, or the value is none of it.
    """
    kind = _type_of(key, source)
    if key == "balance" and isinstance(value, list):
        value = ",".join(map(str, value)) or value  # as on a command line
    try:
        converted = msgspec.convert(value, type=kind)
    except msgspec.ValidationError:
        problem = f"{key}: {quoted(value)} is not {allowed(key)}"
        if isinstance(value, list):
            problem += f"; several values are an axis, e.g. axes: {{{key}: {quoted(value)}}}"
        raise ConfigError(source, problem) from None
    if isinstance(converted, float) and not math.isfinite(converted):
        raise ConfigError(source, f"{key}: {quoted(value)} is not {allowed(key)}")
    return 0.0 if converted == 0.0 and isinstance(converted, float) else converted  # not -0.0


def _type_of(key: str, source: object) -> Any:
    if key.startswith(ARGUMENT):
        name = key.removeprefix(ARGUMENT)
        try:
            msgspec.convert(name, type=ArgumentName)
        except msgspec.ValidationError:
            raise ConfigError(
                source, f"args: {quoted(name)} is no name; use at most 64 letters, digits and _"
            ) from None
        return Argument
    if key not in _TYPES:
        known = f"known keys: {', '.join(KEYS)}"
        raise ConfigError(source, f"unknown key {quoted(key)}; {known}{_as_argument(key)}")
    return _TYPES[key]


def _as_argument(key: str) -> str:
    is_name = re.fullmatch(r"[A-Za-z_]\w{0,63}", key, re.ASCII)
    return f"; an argument of a factory or a program is {ARGUMENT}{key}" if is_name else ""


def value_type(key: str) -> type:
    """Return int, float, bool or str."""
    if _TYPES[key] is bool:
        return bool
    base = get_args(_TYPES[key])[0]
    return base if base in (int, float) else str


def allowed(key: str) -> str:
    """Describe the values that a key takes."""
    if key.startswith(ARGUMENT):
        return (
            "true, false, a finite number, whole ones from -2^63 to 2^63-1, or a text of at most "
            "1000 characters on one line"
        )
    if _TYPES[key] is bool:
        return "true or false"
    if get_origin(_TYPES[key]) is Literal:
        return "one of: " + ", ".join(get_args(_TYPES[key]))
    _, meta = get_args(_TYPES[key])
    return str(meta.description)
