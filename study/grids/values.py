"""The values that a grid's file gives: those of its axes, and those that all cases share."""

from pathlib import Path
from typing import Any

from study.case import ARGUMENT
from study.errors import ConfigError
from study.models import KINDS
from study.quoting import quoted
from study.storage.yaml_file import check_keys
from study.values.completion import PRESET
from study.values.keys import KEYS, check_value

# Each key of a case has one section of the grid file; depth and gpus are usually axes. Arguments
# of a factory or a program, `args.<name>`, are axes or lie under `args` in their section.
SECTIONS: dict[str, tuple[str, ...]] = {
    "model": ("depth", "gpus", "kind", PRESET, "dim", "batch_size", "split", "heads", "seq_len",
              "vocab", "tied", "width", "image", "classes", "norm", "factory", "args"),
    "program": ("command", "args"),
    "pipeline": ("schedule", "micro_batches", "chunks_per_gpu", "balance", "gradients",
                 "data_parallel"),
    "train": ("dtype", "optimizer", "execution", "recompute", "seed"),
    "measure": ("warmup_steps", "steps", "time_limit_s", "ci_half_width", "repeat"),
}  # fmt: skip
IN_FILES = (*(key for key in KEYS if key not in ("sha256", "calibrates")), PRESET)


def section_of(data: dict[str, Any], section: str) -> dict[str, Any]:
    """Return a section, or nothing where it is none; what is wrong with it is found later."""
    found = data.get(section)
    return found if isinstance(found, dict) else {}


def read_axes(path: Path, axes: Any, kind: str) -> dict[str, tuple[Any, ...]]:
    """Return the values of each axis, checked.

    Args:
        path: the file, for errors.
        axes: what it has under `axes`.
        kind: of the model, or `program`.

    Raises:
        ConfigError: there are none, one is no axis, or a value is none of its key.
    """
    if not axes:
        raise ConfigError(path, "axes: missing or empty; write e.g. axes: {depth: [20], gpus: [2]}")
    if kind == "program" and isinstance(axes, dict):
        axes = _with_names_of_program(path, axes)
    names = [key for key in axes if isinstance(key, str)] if isinstance(axes, dict) else []
    arguments = [key for key in names if key.startswith(ARGUMENT)]
    check_keys(axes, (*IN_FILES, *arguments), path, "axes")
    if "repeat" in axes:  # jobs of one configuration are one row of a table
        raise ConfigError(path, "axes.repeat: repeats are no axis; use submit.py --repeats N")
    for key in ("kind", PRESET, "factory", "command", "args"):
        if key in axes:
            raise ConfigError(
                path, f"axes.{key}: a grid measures one model; put it under model, or use two grids"
            )
    return {key: _read_axis(path, key, values) for key, values in axes.items()}


def _with_names_of_program(path: Path, axes: dict[Any, Any]) -> dict[Any, Any]:
    """Return the axes of a program with `args.` before the names that its command uses.

    Raises:
        ConfigError: an axis is there under both names.
    """
    own = ("gpus", *KINDS["program"].keys, "repeat")
    named: dict[Any, Any] = {}
    for key, values in axes.items():
        is_own = not isinstance(key, str) or key in own or key.startswith(ARGUMENT)
        name = key if is_own else f"{ARGUMENT}{key}"
        if name in named:
            raise ConfigError(path, f"axes: {quoted(name)} is there twice; keep one")
        named[name] = values
    return named


def _read_axis(path: Path, key: str, values: Any) -> tuple[Any, ...]:
    if not isinstance(values, list) or not values:
        raise ConfigError(
            path, f"axes.{key}: {quoted(values)} is no list of values; write e.g. [2]"
        )
    checked = tuple(check_value(key, value, f"{path}: axes") for value in values)
    if len(set(checked)) < len(checked):
        alike = ", as 1, 1.0 and true are equal" if key.startswith(ARGUMENT) else ""
        raise ConfigError(
            path, f"axes.{key}: {quoted(values)} names a value twice{alike}; list it once"
        )
    return checked


def _section(path: Path, data: dict[str, Any], name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    section = {} if data.get(name) is None else data[name]
    elsewhere = {
        key: other
        for other, its in SECTIONS.items()
        for key in its
        if other != name and key not in keys
    }
    for key in section if isinstance(section, dict) else ():
        if key in elsewhere:
            raise ConfigError(
                path, f"{name}.{key}: is in the wrong section; put it under {elsewhere[key]}"
            )
    return check_keys(section, keys, path, name)


def read_setting(path: Path, data: dict[str, Any], axes: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the keys that all cases share, checked.

    Args:
        path: the file, for errors.
        data: all that it holds.
        axes: the axes, whose keys may not be among them.

    Raises:
        ConfigError: a key is unknown, in the wrong section or an axis, or a value is none of its
            key.
    """
    setting: dict[str, Any] = {}
    for section, keys in SECTIONS.items():
        for key, value in _with_arguments(path, section, _section(path, data, section, keys)):
            if key in axes:
                raise ConfigError(path, f"{section}.{key}: is under axes, too; keep one")
            is_checked_with_kind = key == PRESET  # which is a key of no case
            setting[key] = (
                value if is_checked_with_kind else check_value(key, value, f"{path}: {section}")
            )
    return setting


def _with_arguments(path: Path, section: str, keys: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the keys of a section with an `args.<name>` for each of its arguments."""
    given = keys.get("args", {})
    if not isinstance(given, dict):
        raise ConfigError(
            path, f"{section}.args: {quoted(given)} is no mapping; write e.g. args: {{width: 64}}"
        )
    for name in given:
        if not isinstance(name, str):  # to YAML, on and no are truth values
            raise ConfigError(
                path, f"{section}.args: {quoted(name)} is no name; write it in quotes"
            )
    own = [(key, value) for key, value in keys.items() if key != "args"]
    return own + [(f"{ARGUMENT}{name}", value) for name, value in given.items()]
