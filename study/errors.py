"""The errors a person can mend, and those that end a case."""

HALF = 500  # of a line: a value in its middle may be a list of thousands


class ConfigError(Exception):
    """What was asked for is wrong; the entry points print it as one line and exit with 2.

    The message names the file (or the flag), the key, the value and the fix.
    """

    def __init__(self, source: object, problem: str) -> None:
        line = " ".join(f"{source}: {problem}".split())
        super().__init__(line if len(line) <= 2 * HALF else f"{line[:HALF]} … {line[-HALF:]}")


def one_line(error: Exception) -> str:
    """Return what went wrong and where: of an error of the system, its file and its words."""
    if isinstance(error, OSError):
        return f"{error.filename or 'stdout'}: {error.strerror}"
    return str(error)


class CaseError(Exception):
    """A case cannot be measured, for a reason that is no bug."""


class GpuMismatch(CaseError):
    """The GPUs requested, allocated and visible are not the same number."""
