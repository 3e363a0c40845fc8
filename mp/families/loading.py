"""Load a user's file: the bytes whose hash the case has, under a name that nothing else has."""

import hashlib
import inspect
import linecache
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from mp.families.user_code import UserCode
from study.case import Case, given
from study.errors import CaseError
from study.quoting import quoted
from study.storage.files import read_file
from study.text import shortened
from study.values.completion import MOST_BYTES, factory_path

Factory = Callable[..., Any]


def load_factory(case: Case) -> tuple[Factory, UserCode]:
    """Return the function of the case's factory, and the guard to call it within.

    Raises:
        CaseError: the file is gone, edited or does not load, or has no such function.
    """
    name, _, function = given(case.factory).rpartition(":")
    path = factory_path(given(case.factory))
    module, notes = _load(name, path, given(case.sha256))
    code = UserCode(given(case.factory))
    code.notes += notes
    found = getattr(module, function, None)
    if not callable(found):
        defined = [
            key
            for key, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == module.__name__
        ]
        known = ", ".join(defined[:10]) if defined else "none"
        raise CaseError(shortened(f"{name} has no function {function}; its functions: {known}"))
    return found, code


def check_arguments(function: Factory, arguments: dict[str, Any], code: UserCode) -> None:
    """Refuse arguments that the function does not take, before it is called.

    Args:
        function: the factory.
        arguments: those of the case, by name.
        code: for the error.

    Raises:
        CaseError: with those that it takes.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise code.error(
            f"takes {signature}, and args: {quoted(arguments)} do not fit: {error}; change args"
        ) from None


@cache
def _load(name: str, path: Path, sha256: str) -> tuple[ModuleType, tuple[str, ...]]:
    """Run the file once for every process; return its module, and notes on what that changed."""
    try:
        source = read_file(path, most=MOST_BYTES, follow=True)
    except OSError as error:
        raise CaseError(
            shortened(f"{name} cannot be read: {error.strerror}; put it back, or submit again")
        ) from None
    if hashlib.sha256(source).hexdigest() != sha256:
        raise CaseError(f"{name} was edited since it was submitted; submit again")
    module = ModuleType(f"_model_{sha256[:16]}")
    module.__file__ = str(path)
    code = UserCode(name)
    with code.running("loading it"):
        text = source.decode("utf-8", "replace")
        linecache.cache[str(path)] = len(source), None, text.splitlines(keepends=True), str(path)
        program = compile(source, str(path), "exec", dont_inherit=True)
        sys.modules[module.__name__] = module  # dataclasses look there
        before = list(sys.path)
        sys.path.append(str(path.parent))
        try:
            exec(program, vars(module))
        finally:
            added = [folder for folder in sys.path if folder not in before]
            sys.path[:] = [*before, *added]  # never above our own packages
    return module, tuple(code.notes)
