"""Text that tries to move a terminal's cursor, to forge a row, or to become markup."""

import typing
from typing import Any

import msgspec

HOSTILE = (
    "x\x1b]0;owned\x07\x1b[2J\x9b31m\x00\r\nforged | row\u2028\u202e\u061c\U000e0041<b>`$(id)`|=1+1"
)


def poisoned(value: Any, kind: Any = Any) -> Any:
    """Return the same data with every text replaced that may be any text."""
    if isinstance(value, msgspec.Struct):
        kinds = typing.get_type_hints(type(value), include_extras=True)
        parts = {f: poisoned(getattr(value, f), kinds[f]) for f in value.__struct_fields__}
        return msgspec.structs.replace(value, **parts)
    if isinstance(value, dict):
        return {key: poisoned(part, str) for key, part in value.items()} | {HOSTILE: HOSTILE}
    if isinstance(value, list | tuple):
        parts = typing.get_args(kind) or (Any,)
        return type(value)(poisoned(part, parts[0]) for part in value)
    return HOSTILE if isinstance(value, str) and _may_be(HOSTILE, kind) else value


def _may_be(text: str, kind: Any) -> bool:
    try:
        msgspec.convert(text, type=kind)
    except msgspec.ValidationError:
        return False
    return True


def control_characters(text: str) -> set[str]:
    """Return what a terminal would obey, line breaks aside."""
    return {c for c in text if not c.isprintable()} - {"\n"}
