"""Which code ran."""

import subprocess
from pathlib import Path

from study.result import Code

ROOT = Path(__file__).resolve().parent.parent


def describe_code() -> Code:
    """The commit checked out when the case started, and whether files differ from it."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return Code(commit=None, dirty=None)
    return Code(commit=commit.strip(), dirty=bool(changes.strip()))


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
