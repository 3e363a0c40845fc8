"""The errors a person can mend, and those that end a case."""

from study.text import shortened


class ConfigError(Exception):
    """What was asked for is wrong; the entry points print it as one line and exit with 2.

    The message names the file (or the flag), the key, the value and the fix.
    """

    def __init__(self, source: object, problem: str) -> None:
        super().__init__(shortened(f"{source}: {problem}"))


def explain(error: Exception) -> str:
    """Return what went wrong and where: of an error of the system, its file and its words."""
    if isinstance(error, OSError):
        return shortened(f"{error.filename or 'stdout'}: {error.strerror}")
    return shortened(str(error))


class CaseError(Exception):
    """A case cannot be measured, for a reason that is no bug."""


class GpuMismatch(CaseError):
    """The GPUs requested, allocated and visible are not the same number."""
