"""Read the profiles of cluster.yaml, and choose the one of this machine."""

import re
import shutil
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from jobs.executors import EXECUTORS, slurm_cluster_name
from jobs.profile import Profile, Rendezvous, check_lines, check_types
from study.errors import ConfigError
from study.paths import CLUSTER_FILE
from study.quoting import quoted
from study.storage.yaml_file import check_keys, read_mapping

NOT_CONFIGURED = (
    "note: Slurm is installed here and finds no configuration, so the cases run on this machine; "
    "on a cluster, set SLURM_CONF"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def load_profiles(path: Path = CLUSTER_FILE) -> dict[str, Profile]:
    """Return all profiles of the file, by name.

    Raises:
        ConfigError: the file is no such file, or a value in it is wrong.
    """
    data = check_keys(read_mapping(path), ("profiles",), path, "top level")
    entries = data.get("profiles")
    if not isinstance(entries, dict) or not entries:
        raise ConfigError(path, "profiles: missing or empty; write e.g. profiles: {local: ...}")
    return {str(name): _read_profile(path, str(name), entry) for name, entry in entries.items()}


def _read_profile(path: Path, name: str, entry: Any) -> Profile:
    if not _NAME.fullmatch(name):
        problem = "is no name of a folder, which a profile's is; use letters, digits, - _ ."
        raise ConfigError(path, f"profiles: {quoted(name)} {problem}")
    source = f"{path}: profiles.{name}"
    known = tuple(key for key in Profile.__struct_fields__ if key not in ("name", "source"))
    entry = check_keys(entry, known, path, f"profiles.{name}")
    for key, value in entry.items():
        check_lines(source, key, value)
    if (executor := entry.get("executor")) not in tuple(EXECUTORS):
        names = ", ".join(EXECUTORS)
        raise ConfigError(source, f"executor: {quoted(executor)} is not one of: {names}")
    values = {"name": name, "source": source} | entry
    if values.get("rendezvous") is not None:
        values["rendezvous"] = _read_rendezvous(source, values["rendezvous"])
    check_types(source, values, Profile)
    profile = Profile(**values)
    EXECUTORS[profile.executor]().check_profile(profile, entry)
    return profile


def _read_rendezvous(source: str, value: Any) -> Rendezvous:
    given = check_keys(value, Rendezvous.__struct_fields__, source, "rendezvous")
    check_types(source, given, Rendezvous, "rendezvous.")
    return Rendezvous(**given)


def choose_profile(name: str, path: Path = CLUSTER_FILE) -> Profile:
    """Return the profile of this name; for `auto` the one of this machine.

    Raises:
        ConfigError: there is no such profile, or the file is wrong.
    """
    profiles = load_profiles(path)
    if name == "auto":
        name = _automatic_name(profiles)
    if name not in profiles:
        raise ConfigError("--cluster", f"{quoted(name)} is not in {path}: {', '.join(profiles)}")
    return profiles[name]


def _automatic_name(profiles: dict[str, Profile]) -> str:
    name_here = slurm_cluster_name()
    if name_here is None:
        if shutil.which("sbatch"):
            print(NOT_CONFIGURED, file=sys.stderr)
        return "local"
    matching = [
        name for name, p in profiles.items() if fnmatchcase(name_here, p.cluster_name or "")
    ]
    return matching[0] if matching else "slurm"
