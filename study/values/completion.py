"""Fill in what a case's kind of model leaves out: the kind, a preset, defaults, a file's hash."""

import errno
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.case import ARGUMENT, Case, given
from study.errors import ConfigError
from study.models import KINDS, absent_model_keys, kinds_with
from study.paths import ROOT
from study.quoting import quoted
from study.storage.files import read_file
from study.values.gradients import default_gradients
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
    of_preset = _of_preset(kind, values.pop(PRESET), source) if PRESET in values else {}
    _check_keys_of(kind, values, source)
    filled = {**entry.defaults, **of_preset, **values}
    if default_gradients(kind, filled.get("schedule"), filled.get("execution")) == "fused":
        filled.setdefault("gradients", "fused")  # else the field's own default
    if kind == "linear":
        return filled
    filled["kind"] = kind
    if kind == "program":
        filled["depth"] = 1  # has no meaning
    if kind == "factory" and "sha256" not in filled:
        filled["factory"] = factory_name(filled["factory"], source)
        filled["sha256"] = sha256_of(filled["factory"], source)
    return filled


def _of_preset(kind: str, preset: object, source: object) -> Mapping[str, Any]:
    presets = KINDS[kind].presets
    if isinstance(preset, str) and preset in presets:
        return presets[preset]
    if presets:
        problem = f"is not one of those of kind: {kind}: {', '.join(presets)}"
    else:
        having = " and ".join(name for name, entry in KINDS.items() if entry.presets)
        problem = f"with kind: {kind}, which has none; {having} have presets"
    raise ConfigError(source, f"preset: {quoted(preset)} {problem}")


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
            name, value = key, values[key]
            if key == "args" and value:
                name, value = f"{ARGUMENT}{value[0][0]}", value[0][1]
            having = ", ".join(kinds_with(key))
            raise ConfigError(
                source, f"{name}: {quoted(value)} with kind: {kind}; it is for {having}"
            )
    for key in ("factory", "command"):
        if key not in absent_model_keys(kind) and not values.get(key):
            example = "models/mine.py:build" if key == "factory" else "python train.py"
            raise ConfigError(source, f"{key}: missing for kind: {kind}; write e.g. {example}")


def factory_name(factory: object, source: object) -> str:
    """Return `path.py:function`, with a path below this project's folder, or an absolute one.

    A relative path is looked for in the current folder, then in the project's. Links are followed,
    so a file has one name, and a file that is gone may have another one than it had.

    Raises:
        ConfigError: it is not of that form.
    """
    path, colon, function = str(factory).rpartition(":")
    if not colon or not path.endswith(".py"):
        raise ConfigError(
            source,
            f"factory: {quoted(factory)} is not a file and a function in it; "
            "write e.g. models/mine.py:build",
        )
    path = os.path.expanduser(path)
    found = path if os.path.isfile(path) else os.path.join(ROOT, path)
    whole = Path(os.path.realpath(found))
    inside = whole.is_relative_to(ROOT)
    return f"{whole.relative_to(ROOT) if inside else whole}:{function}"


def possible_names(factory: str) -> list[str]:
    """Return the names that a case may have for a factory, whether or not its file is there.

    A relative path was looked for below the folder that was current, then below the project's.
    """
    path, _, function = factory.rpartition(":")
    names: dict[str, None] = {}
    for found in (Path(os.path.expanduser(path)).absolute(), ROOT / path):
        for whole in (found.resolve(), found):  # a link that is gone leads nowhere now
            inside = whole.is_relative_to(ROOT)
            names[f"{whole.relative_to(ROOT) if inside else whole}:{function}"] = None
    return list(names)


def factory_path(factory: str) -> Path:
    """Return the path of the file of a case's factory."""
    return ROOT / factory.rpartition(":")[0]


def sha256_of(factory: str, source: object) -> str:
    """Return the sha256 of the factory's file, 64 hex digits.

    Raises:
        ConfigError: it is not there, cannot be read, is no regular file or is too long.
    """
    path = factory_path(factory)
    try:
        return hashlib.sha256(read_file(path, most=MOST_BYTES, follow=True)).hexdigest()
    except FileNotFoundError:
        problem = "does not exist; check the path"
        if path.is_relative_to(ROOT):
            problem = f"does not exist, nor does it in {os.getcwd()}; check the path"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        if error.errno == errno.EFBIG:
            problem = f"has more than {MOST_BYTES // 2**20} MiB; name a file of Python"
    raise ConfigError(source, f"factory: {path} {problem}")


def check_unchanged(case: Case) -> None:
    """Check that the file of the case's factory is still the one that the case names.

    Raises:
        ConfigError: it was edited, or is gone.
    """
    if case.kind == "factory":
        name = given(case.factory)
        if sha256_of(name, "submit.py") != given(case.sha256):
            raise ConfigError(
                factory_path(name), "was edited since the cases were planned; run again"
            )
