"""Source code that a task asks for, as of the commit that was measured."""

import ast
import subprocess
from collections.abc import Sequence

from report.data.selection import GridTable
from report.document import Listing
from study.paths import ROOT


def make_listings(grid_table: GridTable, functions: Sequence[tuple[str, str]]) -> list[Listing]:
    """Return the source of these functions, each given by its file and its name."""
    commit = _commit(grid_table) if functions else None
    return [_listing(path, function, commit) for path, function in functions]


def _commit(grid_table: GridTable) -> str | None:
    """Return the one commit that all results come from, if no file differed from it."""
    codes = [job.result.code for row in grid_table.rows for job in row.jobs if job.result]
    commits = {None if code.dirty is not False else code.commit for code in codes}
    return commits.pop() if len(commits) == 1 else None


def _listing(path: str, function: str, commit: str | None) -> Listing:
    committed = _at(commit, path) if commit is not None else None
    where = (
        f"{path} at commit {str(commit)[:7]}" if committed is not None else f"{path} as it is now"
    )
    source = (ROOT / path).read_text() if committed is None else committed
    return Listing(f"{function} of {where}", _function(source, function))


def _at(commit: str, path: str) -> str | None:
    """Return the file at this commit; None where git does not have it."""
    command = ["git", "-C", str(ROOT), "show", f"{commit}:{path}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _function(source: str, name: str) -> str:
    """Return the source of the first function of this name, without its indentation."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            lines = source.splitlines()[node.lineno - 1 : node.end_lineno]
            return "\n".join(line[node.col_offset :] for line in lines)
    return source
