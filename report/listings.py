"""Source code that a task asks for, of the commits that were measured."""

import ast
import subprocess
from collections.abc import Sequence
from functools import cache

from report.data.selection import GridTable
from report.document import Listing
from report.wording.units import plural
from study.paths import ROOT
from study.results.result import Code


def make_listings(grid_table: GridTable, functions: Sequence[tuple[str, str]]) -> list[Listing]:
    """Return the source of these functions, each given by its file and its name.

    They are those of the linear stack; code of other models is not what tasks ask for.
    """
    if any(row.case.kind != "linear" for row in grid_table.rows):
        return []
    codes = {job.result.code for row in grid_table.rows for job in row.jobs if job.result}
    return [_listing(path, function, codes) for path, function in functions]


def _listing(path: str, function: str, codes: set[Code]) -> Listing:
    """Return the function as it was at the commits that were measured, where that is certain."""
    commits = sorted({code.commit for code in codes if code.commit is not None})
    sources = {_function(_at(commit, path), function) for commit in commits}
    source = sources.pop() if len(sources) == 1 else None
    known = source is not None and all(code.commit is not None for code in codes)
    short = " and ".join(commit[:7] for commit in commits)
    where = f"{plural(len(commits), 'commit')} {short}"
    if source is not None and known and not any(_may_differ(code, path) for code in codes):
        return Listing(f"{function} of {path} at {where}, which {_was(commits)} measured", source)
    here = _function((ROOT / path).read_text(), function) or ""
    same = f", the same at {where}" if known and here == source else ""
    return Listing(f"{function} of {path}, from the code of this report{same}", here)


def _may_differ(code: Code, path: str) -> bool:
    """Return True if the file may have been another than that of the commit."""
    return code.dirty is not False and (not code.changed or path in code.changed)


def _was(commits: Sequence[str]) -> str:
    return "was" if len(commits) == 1 else "were"


@cache
def _at(commit: str, path: str) -> str | None:
    """Return the file at this commit; None where git does not have it."""
    command = ["git", "-C", str(ROOT), "show", f"{commit}:{path}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _function(source: str | None, name: str) -> str | None:
    """Return the source of the first function of this name, without its indentation."""
    if source is None:
        return None
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            lines = source.splitlines()[node.lineno - 1 : node.end_lineno]
            return "\n".join(line[node.col_offset :] for line in lines)
    return source
