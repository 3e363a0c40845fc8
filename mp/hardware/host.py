"""Host, software and code of a measurement, as far as they are known without torch."""

import os
import re
from fnmatch import fnmatchcase
from importlib.metadata import distributions
from pathlib import Path

from study.commit import ask_git, commit_of
from study.paths import ROOT
from study.results.result import Code

# Of the dependencies in pyproject.toml those that a job may meet, and what computes below torch.
PACKAGES = (
    "torch",
    "submitit",
    "pyyaml",
    "pandas",
    "rich",
    "msgspec",
    "nvidia-ml-py",
    "numpy",
    "scipy",
    "triton",
    "nvidia-cublas*",
    "nvidia-cudnn-*",
    "nvidia-nccl-*",
)
# What a job runs. Grids, profiles and what makes the report change no measurement.
MEASURING = ("jobs", "mp", "study", "submit.py")


def describe_code(root: Path = ROOT) -> Code:
    """Return the commit checked out, and the files that differ from it."""
    commit = commit_of(root)
    names = ("--name-only", "--no-renames", "--relative", "-z")
    changes = ask_git(root, "diff", *names, "HEAD", "--", *MEASURING)
    if commit is None or changes is None:
        return Code(commit=None, dirty=None)
    changed = tuple(sorted(set(changes.split("\0")) - {""}))
    return Code(commit=commit, dirty=bool(changed), changed=changed)


def cpu_name() -> str | None:
    """Return the model of the CPU, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else None


def cpu_affinity() -> int | None:
    """Count the CPUs that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def package_versions() -> dict[str, str]:
    """Return installed versions by normalised name; as in an import, the first one counts."""
    versions: dict[str, str] = {}
    for package in distributions():
        name = re.sub(r"[-_.]+", "-", package.name or "").lower()
        if any(fnmatchcase(name, pattern) for pattern in PACKAGES):
            versions.setdefault(name, package.version)
    return dict(sorted(versions.items()))
