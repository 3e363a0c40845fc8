"""docs/results.md names every key of a result file, its default and what null means."""

import json
import re
import types
import typing
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from study.results.result import Result

PAGE = Path(__file__).resolve().parent.parent / "docs/results.md"
TOP = "result"
SHARED = {  # one table for both
    "environment.gpus[].after": "environment.gpus[].before",
    "calibration.sizes[].model": "model",
    "calibration.sizes[].model.layers[]": "model.layers[]",
    "calibration.sizes[].model.loss": "model.loss",
}


def held_in(hint):
    """The struct that a type holds, with the mark of a list; and whether null is allowed."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Annotated:
        return held_in(arguments[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        rest = next(each for each in arguments if each is not type(None))
        return *held_in(rest)[:2], UnsetType not in arguments
    if typing.get_origin(hint) in (list, tuple):
        return held_in(arguments[0])[0], "[]", False
    is_struct = isinstance(hint, type) and issubclass(hint, msgspec.Struct)
    return hint if is_struct else None, "", False


def structs(path=TOP, struct=Result):
    """Every struct of a result by its path: its fields, and those that may be null."""
    hints = typing.get_type_hints(struct, include_extras=True)
    found = {path: (msgspec.structs.fields(struct), {k for k in hints if held_in(hints[k])[2]})}
    for key, hint in hints.items():
        inner, mark, _ = held_in(hint)
        if inner is not None:
            found |= structs(f"{path}.{key}{mark}".removeprefix(f"{TOP}."), inner)
    return found


STRUCTS = {path: held for path, held in structs().items() if path not in SHARED}


def tables():
    """The rows of the page by heading, each a list of cells."""
    parts = re.split(r"^#{2,3} `(.*)`$", PAGE.read_text(), flags=re.MULTILINE)
    return {
        heading: [
            [cell.strip() for cell in line.split("|")[1:-1]]
            for line in text.partition("\n## ")[0].splitlines()
            if line.startswith("| `")
        ]
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_the_page_has_a_table_for_each_part_of_a_result_and_no_other():
    assert sorted(tables()) == sorted(STRUCTS)


@pytest.mark.parametrize("path", STRUCTS)
def test_a_table_names_exactly_the_keys_of_its_part(path):
    named = [row[0].strip("`") for row in tables()[path]]
    assert named == [field.name for field in STRUCTS[path][0]]


@pytest.mark.parametrize("path", sorted(set(STRUCTS) - {"case"}))
def test_a_table_says_what_null_means_exactly_where_null_is_allowed(path):
    explained = {row[0].strip("`") for row in tables()[path] if row[3]}
    assert explained == STRUCTS[path][1]


@pytest.mark.parametrize("path", STRUCTS)
def test_a_table_has_the_default_of_every_key(path):
    shown = {row[0].strip("`"): row[4].strip("`") for row in tables()[path]}
    needed = "needed" if path == "case" else ""
    assert shown == {
        field.name: needed
        if field.required
        else ""
        if field.default is UNSET
        else json.dumps(field.default)
        for field in STRUCTS[path][0]
    }
