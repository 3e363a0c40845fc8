"""The file of a grid: which there are, and what one says."""

import os
from pathlib import Path
from typing import Any

from study.errors import ConfigError
from study.grids.grid import Grid
from study.grids.values import SECTIONS, read_axes, read_setting, section_of
from study.paths import GRIDS
from study.quoting import quoted
from study.storage.yaml_file import check_keys, read_mapping
from study.values.completion import PRESET, kind_of

MAX_INCLUDED = 20  # grids, each of which may be long
TABLES = ("step_time", "layer_map", "placement_rule", "memory", "transfers", "schedules",
          "model", "program")  # fmt: skip
PROGRAM = "program"  # the kind of case, and its table


def load_grids(names: list[str], option: str = "--grid") -> list[Grid]:
    """Return the grids of these names or paths; of one that includes others, those.

    Args:
        names: names of known grids, or paths.
        option: the option that an error names.

    Raises:
        ConfigError: there is no such grid, or its file is wrong.
    """
    return [grid for name in names for grid in _load(_path_of(name, option))]


def known_grids() -> list[str]:
    """Return the names that `--grid` takes besides a path."""
    return sorted(path.stem for path in GRIDS.glob("*.yaml"))


def option_for(word: str) -> str | None:
    """Return `--grid` if the word could be its value."""
    return "--grid" if word in known_grids() or word.endswith((".yaml", ".yml")) else None


def _path_of(name: str, option: str) -> Path:
    if name in known_grids():
        return GRIDS / f"{name}.yaml"
    if os.path.isfile(name):
        return Path(name)
    raise ConfigError(
        option, f"{quoted(name)} is neither a file nor one of: {', '.join(known_grids())}"
    )


def _load(path: Path) -> list[Grid]:
    data = read_mapping(path)
    if "include" not in data:
        return [_read_grid(path, data)]
    check_keys(data, ("title", "include"), path, "a grid that includes others")
    included = data["include"]
    if not isinstance(included, list) or not included:
        raise ConfigError(path, f"include: {quoted(included)} is not a list of grid names")
    if len(included) > MAX_INCLUDED:
        raise ConfigError(path, f"include: more than {MAX_INCLUDED} grids; use several files")
    paths = [_included(path, name) for name in included]
    return [_read_grid(p, read_mapping(p)) for p in paths]


def _included(path: Path, name: Any) -> Path:
    included = path.parent / f"{name}.yaml"
    if not isinstance(name, str) or not os.path.isfile(included):  # false of any name, however long
        raise ConfigError(path, f"include: {quoted(name)} does not exist next to this file")
    return included


def _read_grid(path: Path, data: dict[str, Any]) -> Grid:
    check_keys(data, ("title", "table", "trace", "axes", *SECTIONS), path, "top level")
    of_program = {"command": None} if data.get("program") is not None else {}
    kind = kind_of(of_program | section_of(data, "model"), path)
    axes = read_axes(path, data.get("axes"), kind)
    setting = read_setting(path, data, axes)
    table = data.get("table", PROGRAM if kind == PROGRAM else TABLES[0])
    known = [name for name in TABLES if (name == PROGRAM) == (kind == PROGRAM)]
    if table not in known:
        raise ConfigError(path, f"table: {quoted(table)} is not one of: {', '.join(known)}")
    title = data.get("title", path.stem)
    if not isinstance(title, str) or not title.strip():
        raise ConfigError(path, f"title: {quoted(title)} is no text; write it in quotes")
    trace = _read_trace(path, data.get("trace", False), kind)
    if kind == "program" and "command" not in setting:
        raise ConfigError(
            path, "program.command: missing; write e.g. command: python train.py --gpus {gpus}"
        )
    grid = Grid(path.stem, str(path), title, table, axes, setting, trace)
    needed = {"gpus"} if kind == "program" or PRESET in setting else {"depth", "gpus"}
    if not needed <= set(axes) | set(setting):
        names, verb = " and ".join(sorted(needed)), "are" if len(needed) > 1 else "is"
        raise ConfigError(path, f"axes: {names} {verb} needed; write e.g. gpus: [2, 5]")
    return grid


def _read_trace(path: Path, trace: Any, kind: str) -> bool:
    if not isinstance(trace, bool):
        raise ConfigError(path, f"trace: {quoted(trace)} is neither true nor false")
    if trace and kind == PROGRAM:
        raise ConfigError(path, "trace: true with a program, which has no instrumented steps")
    return trace
