"""Say in one line what to run where this Python cannot run an entry point.

Works on every Python 3 that a cluster may still have, and imports the standard library alone.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST = (3, 11)
SYSTEMS = {"darwin": "macOS", "win32": "Windows"}
ELSEWHERE = (
    "run it on a cluster or in a container; collect.py makes tables of its results here, too"
)
# The packages of pyproject.toml that our modules import, by the names of the imports.
PACKAGES = (
    *("matplotlib", "msgspec", "numpy", "pandas", "pynvml", "rich"),
    *("scipy", "submitit", "torch", "typst", "yaml"),
)


@contextmanager
def first_contact(needs_linux: bool = False) -> "Iterator[None]":
    """End with exit code 2 and one line on stderr where Python is too old or a package is missing.

    Also where an entry point `needs_linux` and this is another system. Every other error passes:
    a module of ours that cannot be imported stays a traceback.
    """
    if needs_linux and sys.platform != "linux":
        system = SYSTEMS.get(sys.platform, sys.platform)
        _leave(f"error: mpbench needs Linux to measure, and this is {system}; {ELSEWHERE}")
    if sys.version_info < OLDEST:
        version = f"Python {_dotted(sys.version_info[:3])} ({sys.executable})"
        _leave(f"error: {version} is older than {_dotted(OLDEST)}: {_what_to_run()}")
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in PACKAGES:
            raise
        problem = f"{error.name} is missing from this Python ({sys.executable})"
        _leave(f"error: {problem}: {_what_to_run()}")


def _leave(line: str) -> None:
    print(line, file=sys.stderr)
    raise SystemExit(2) from None


def _what_to_run() -> str:
    """Return the commands that lead to a Python that has everything."""
    environment = os.path.join(ROOT, ".venv")
    is_in_it = os.path.realpath(sys.prefix) == os.path.realpath(environment)
    is_made = os.path.exists(os.path.join(environment, "installed"))
    is_here = os.getcwd() == ROOT
    make = "make -B" if is_in_it else "make"  # of what is there already, something is missing
    make += " .venv" if is_here else f" -C {ROOT} .venv"
    newer = f" PYTHON=python{_dotted(OLDEST)}" if sys.version_info < OLDEST else ""
    make = f'"{make}{newer}"' + (" (or a newer one)" if newer else "")
    activate = '"source .venv/bin/activate"' if is_here else f'"source {environment}/bin/activate"'
    if is_in_it:
        return f"run {make}"
    return f"run {activate}" if is_made else f"run {make}, then {activate}"


def _dotted(version: "tuple[int, ...]") -> str:
    return ".".join(map(str, version))
