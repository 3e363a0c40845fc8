"""Fill in what a case's kind of model leaves out: the kind, a preset, defaults, a file's hash."""

import hashlib
from pathlib import Path
from typing import Any

from study.case import Case, given
from study.errors import ConfigError
from study.models import KINDS, absent_model_keys, kinds_with
from study.paths import ROOT
from study.quoting import quoted
from study.storage.files import read_file
from study.values.keys import folded

PRESET = "preset"
MOST_BYTES = 4 * 1024 * 1024  # of a factory's file
_CHOOSES = {"factory": "factory", "command": "program"}  # a key that only one kind has


def complete(values: dict[str, Any], source: object) -> dict[str, Any]:
    """Return the values with their kind, its preset's and its default values, and its file's hash.

    What is given overrides a preset, and a preset the defaults. Arguments become `args`.

    Args:
        values: of keys of a case, of `args.<name>` and of `preset`.
        source: the file or option that an error names.

    Raises:
        ConfigError: there is no such kind or preset, the kind lacks a key, or its file is missing.
    """
    kind = kind_of(values, source)
    entry = KINDS[kind]
    values = folded(values)
    preset = values.pop(PRESET, None)
    if preset is not None and preset not in entry.presets:
        known = f"one of: {', '.join(entry.presets)}" if entry.presets else "none"
        raise ConfigError(source, f"preset: {quoted(preset)} of kind: {kind}, which has {known}")
    _check_keys_of(kind, values, source)
    filled = {**entry.defaults, **(entry.presets[preset] if preset else {}), **values}
    if kind == "linear":
        return filled
    filled["kind"] = kind
    if kind == "program":
        filled["depth"] = 1  # has no meaning
    if kind == "factory" and "sha256" not in filled:
        filled["factory"] = _name_of(filled["factory"], source)
        filled["sha256"] = sha256_of(filled["factory"], source)
    return filled


def kind_of(values: dict[str, Any], source: object) -> str:
    """Return the kind of model that these values are of.

    Raises:
        ConfigError: there is no such kind.
    """
    chosen = next((kind for key, kind in _CHOOSES.items() if key in values), "linear")
    kind = values.get("kind", chosen)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(source, f"kind: {quoted(kind)} is not one of: {', '.join(KINDS)}")
    return kind


def _check_keys_of(kind: str, values: dict[str, Any], source: object) -> None:
    for key in values:
        if key in absent_model_keys(kind):
            having = ", ".join(kinds_with(key))
            raise ConfigError(
                source, f"{key}: {quoted(values[key])} with kind: {kind}; it is for {having}"
            )
    for key in ("factory", "command"):
        if key not in absent_model_keys(kind) and not values.get(key):
            example = "models/mine.py:build" if key == "factory" else "python train.py"
            raise ConfigError(source, f"{key}: missing for kind: {kind}; write e.g. {example}")


def _name_of(factory: Any, source: object) -> str:
    """Return `path.py:function`, with a path below this project's folder, or an absolute one.

    A relative path is looked for in the current folder, then in the project's.
    """
    path, colon, function = str(factory).rpartition(":")
    if not colon or not path.endswith(".py"):
        raise ConfigError(
            source,
            f"factory: {quoted(factory)} is not a file and a function in it; "
            "write e.g. models/mine.py:build",
        )
    here = Path(path).expanduser().absolute()
    found = here if here.is_file() else ROOT / path
    if not found.is_file():
        raise ConfigError(source, f"factory: {quoted(path)} is no file; check the path")
    found = found.resolve()
    inside = found.is_relative_to(ROOT)
    return f"{found.relative_to(ROOT) if inside else found}:{function}"


def factory_path(factory: str) -> Path:
    """Return the path of the file of a case's factory."""
    return ROOT / factory.rpartition(":")[0]


def sha256_of(factory: str, source: object) -> str:
    """Return the sha256 of the factory's file, 64 hex digits.

    Raises:
        ConfigError: it cannot be read, or is too long.
    """
    path = factory_path(factory)
    try:
        return hashlib.sha256(read_file(path, most=MOST_BYTES, follow=True)).hexdigest()
    except OSError as error:
        raise ConfigError(source, f"factory: {path} cannot be read: {error.strerror}") from None


def is_current(case: Case) -> bool:
    """Return whether the file of the case's factory is still the one that the case names."""
    try:
        return sha256_of(given(case.factory), "") == given(case.sha256)
    except ConfigError:
        return False
