"""The code that was measured: its commit, and the files that differed from it."""

from collections.abc import Iterable

from report.data.measured import MeasuredCase
from report.wording.units import UNKNOWN
from study.results.result import Code
from study.text import one_line

FILES = 3  # changed files that are named
MEASURING = ("mp/", "study/")  # what else a job runs changes no step


def commit_words(codes: Iterable[Code]) -> str:
    """Return the commits with the files that differed, those with the same changes together."""
    together: dict[str, list[str]] = {}
    for commit, changes in sorted({_commit(code) for code in codes}):
        together.setdefault(changes, []).append(commit)
    return "; ".join(f"{_listed(c)}{changes}" for changes, c in together.items()) or UNKNOWN


def _commit(code: Code) -> tuple[str, str]:
    if code.commit is None:
        return UNKNOWN, ""
    if not code.dirty:
        return code.commit[:7], ""
    files = _files(code.changed or ())
    return code.commit[:7], f" with changes in {files}" if files else " with changed files"


def _files(paths: Iterable[str]) -> str:
    """Return paths as a list, with a number in place of all but the first three."""
    words = [one_line(path) for path in paths]
    if len(words) > FILES:
        words[FILES:] = [f"{len(words) - FILES} more files"]
    return _listed(words)


def _listed(words: list[str]) -> str:
    """Return `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def why_code_differs(a: MeasuredCase, b: MeasuredCase) -> str | None:
    """Return how the code of two measurements differs as far as it can change a step; else None.

    Results do not tell in which files two commits differ, so another commit counts as a difference.
    Files changed since the commit count where they belong to the benchmark (mp/, study/).
    """
    left, right = ({job.code.commit for job in side.jobs} for side in (a, b))
    if left != right:
        known = sorted(commit[:7] for commit in left | right if commit is not None)
        if None in left | right:
            return f"one of the commits is unknown, the other is {_listed(known)}"
        return f"commits differ ({', '.join(known)})"
    differing = _changes(a) ^ _changes(b)
    if None in differing:
        return "files differ from the commit in one of them"
    files = _files(sorted(filter(None, differing)))
    return f"changed files differ ({files})" if files else None


def _changes(result: MeasuredCase) -> set[str | None]:
    """Return the benchmark's files that differed from the commit; None for those not named."""
    found: set[str | None] = set()
    for code in (job.code for job in result.jobs):
        if code.dirty and code.changed is None:
            found.add(None)
        found.update(path for path in code.changed or () if path.startswith(MEASURING))
    return found
