"""Errors that a person can mend, and errors that end a case."""

from study.text import shortened


class ConfigError(Exception):
    """Invalid input; the entry points print it as one line and exit with 2.

    The message names the file (or the flag), the key, the value and the fix.
    """

    def __init__(self, source: object, problem: str) -> None:
        super().__init__(shortened(f"{source}: {problem}"))


def explain(error: Exception) -> str:
    """Return an error as one line; of a system error the file and the reason."""
    if isinstance(error, OSError):
        return shortened(f"{error.filename or 'stdout'}: {error.strerror}")
    return shortened(str(error))


class CaseError(Exception):
    """A case that cannot be measured for a reason that is no bug."""


class GpuMismatch(CaseError):
    """The numbers of GPUs requested, allocated and visible differ."""
