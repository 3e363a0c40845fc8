"""Which code ran."""

import subprocess
from pathlib import Path

from study.paths import ROOT
from study.results.result import Code

# What a job runs. Grids, profiles and what makes the report change no measurement.
MEASURING = ("jobs", "mp", "study", "submit.py")


def describe_code(root: Path = ROOT) -> Code:
    """The commit checked out when the case started, and the files that differ from it."""
    commit = _git(root, "rev-parse", "HEAD")
    names = ("--name-only", "--no-renames", "--relative", "-z")
    changes = _git(root, "diff", *names, "HEAD", "--", *MEASURING)
    if commit is None or changes is None:
        return Code(commit=None, dirty=None)
    changed = tuple(sorted(set(changes.split("\0")) - {""}))
    return Code(commit=commit.strip(), dirty=bool(changed), changed=changed)


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
