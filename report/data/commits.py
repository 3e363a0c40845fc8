"""The code that was measured: its commit, and the files that differed from it."""

from collections.abc import Iterable

from report.data.measured import MeasuredCase
from report.wording.units import UNKNOWN
from study.results.result import Code
from study.text import one_line

FILES = 3  # changed files that are named
MEASURING = ("mp/", "study/")  # what else a job runs changes no step


def commit_words(code: Code) -> str:
    """Return the commit, and the files that differed from it where the result names them."""
    if code.commit is None:
        return UNKNOWN
    if not code.dirty:
        return code.commit[:7]
    if not code.changed:
        return f"{code.commit[:7]} with changed files"
    return f"{code.commit[:7]} with changes in {files_listed(code.changed)}"


def files_listed(paths: Iterable[str]) -> str:
    """Return `a, b and c`, with a number in place of all but the first three."""
    words = [one_line(path) for path in paths]
    if len(words) > FILES:
        words[FILES:] = [f"{len(words) - FILES} more files"]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def why_code_differs(a: MeasuredCase, b: MeasuredCase) -> str | None:
    """Return how the code of two measurements differs as far as it can change a step; else None.

    Nobody knows here which files two commits differ in, so other commits count as a difference.
    Files changed since the commit count where they belong to the benchmark (mp/, study/).
    """
    commits = [{job.code.commit for job in side.jobs} for side in (a, b)]
    if commits[0] != commits[1]:
        known = sorted({commit[:7] for commit in commits[0] | commits[1] if commit is not None})
        if None in commits[0] | commits[1]:
            return f"only one of the commits is known ({', '.join(known)})"
        return f"commits differ ({', '.join(known)})"
    left, right = _changes(a), _changes(b)
    if left == right:
        return None
    if None in left ^ right:
        return "files differ from the commit in one of them"
    return f"changed files differ ({files_listed(sorted(filter(None, left ^ right)))})"


def _changes(result: MeasuredCase) -> set[str | None]:
    """Return the benchmark's files that differed from the commit; None for those not named."""
    found: set[str | None] = set()
    for code in (job.code for job in result.jobs):
        if code.dirty and code.changed is None:
            found.add(None)
        found.update(path for path in code.changed or () if path.startswith(MEASURING))
    return found
