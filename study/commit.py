"""Answers of git about this project's files."""

import subprocess
from pathlib import Path

from study.paths import ROOT


def ask_git(root: Path, *arguments: str) -> str | None:
    """Return git's answer; None where there is no git, or no repository.

    Args:
        root: a folder of the repository.
        *arguments: of git.
    """
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def commit_of(root: Path = ROOT) -> str | None:
    """Return the commit that is checked out; None where git does not tell."""
    commit = ask_git(root, "rev-parse", "HEAD")
    return None if commit is None else commit.strip()
