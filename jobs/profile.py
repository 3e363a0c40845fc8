"""Profiles of cluster.yaml: where jobs run and how GPUs are asked for there."""

import re
import shutil
import sys
import unicodedata
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from jobs.site import read_meeting, read_python
from jobs.slurm.commands import slurm_cluster_name
from study.errors import ConfigError
from study.paths import CLUSTER_FILE
from study.quoting import quoted
from study.storage.yaml_file import check_keys, read_mapping

# Network file systems keep what they know of a folder for half a minute, or a whole one.
RESULT_WAIT_S = 60
NOT_CONFIGURED = (
    "note: Slurm is installed here and finds no configuration, so the cases run on this machine; "
    "on a cluster, set SLURM_CONF"
)
# Controls, half characters, and the line and paragraph separators of Unicode.
_NOT_IN_A_LINE = {"Cc", "Cs", "Zl", "Zp"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_GPU_REQUEST = re.compile(r"(gres|gpus_per_node)(:[A-Za-z0-9_.:-]*\{n\})?")


@dataclass(frozen=True)
class Profile:
    """One entry of cluster.yaml. `source` is what error messages call it."""

    name: str
    source: str
    executor: Literal["slurm", "local"]
    device: str
    cluster_name: str | None = None
    gpus_per_node: int | None = None
    gpu_request: str = "gpus_per_node"
    max_parallel: int | None = None
    result_wait_s: int = RESULT_WAIT_S
    submitit: dict[str, Any] | None = None
    python: str | None = None
    rendezvous: dict[str, str] | None = None

    @property
    def timeout_min(self) -> int | None:
        """The time limit of a job; None where nothing limits it."""
        return self.submitit["timeout_min"] if self.submitit else None

    @property
    def partition(self) -> str:
        """The partition that jobs ask for; empty for the default one."""
        return (self.submitit or {}).get("slurm_partition") or ""

    def gpu_parameters(self, gpus: int) -> dict[str, str]:
        """The sbatch option that asks for exactly `gpus` GPUs on each node."""
        option, _, template = self.gpu_request.partition(":")
        if not template:
            template = "gpu:{n}" if option == "gres" else "{n}"
        return {option: template.replace("{n}", str(gpus))}


def load_profiles(path: Path = CLUSTER_FILE) -> dict[str, Profile]:
    """All profiles of the file, by name."""
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
    known = tuple(key for key in Profile.__dataclass_fields__ if key not in ("name", "source"))
    entry = check_keys(entry, known, path, f"profiles.{name}")
    for key, value in entry.items():
        check_lines(source, key, value)
    _check_choice(source, "executor", entry.get("executor"), ("slurm", "local"))
    _check_choice(source, "device", entry.get("device"), ("auto", "cpu", "cuda"))
    if entry["executor"] == "slurm":
        _check_slurm(source, entry)
    for key in set(entry) - {"executor", "device"} if entry["executor"] == "local" else ():
        raise ConfigError(source, f"{key}: {quoted(entry[key])} is for executor: slurm; remove it")
    return Profile(name=name, source=source, **entry)


def check_lines(source: str, where: str, value: Any) -> None:
    """Refuse what would be more than one line of an sbatch script, wherever in the value it is.

    Quotes do not help: sbatch reads its options, and a shell its commands, line by line.
    """
    if isinstance(value, dict):
        for key, held in value.items():
            check_lines(source, where, key)
            check_lines(source, f"{where}.{key}", held)
    elif isinstance(value, list | tuple | set):
        for held in value:
            check_lines(source, where, held)
    elif isinstance(value, str) and _NOT_IN_A_LINE & set(map(unicodedata.category, value)):
        problem = f"{where}: {quoted(value)} has a line break or another control character"
        raise ConfigError(source, f"{problem}; write one line (a list has an entry for each)")


def _check_choice(source: str, key: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(source, f"{key}: {quoted(value)} is not one of: {', '.join(choices)}")


def _check_slurm(source: str, entry: dict[str, Any]) -> None:
    if not isinstance(name := entry.get("cluster_name"), str | None):
        raise ConfigError(source, f"cluster_name: {quoted(name)} is no text; write it in quotes")
    _check_positive(source, "gpus_per_node", entry.get("gpus_per_node"), "GPUs a node has")
    if "max_parallel" in entry:
        _check_positive(source, "max_parallel", entry["max_parallel"], "jobs")
    if "result_wait_s" in entry:
        _check_whole(source, "result_wait_s", entry["result_wait_s"], "seconds", least=0)
    request = entry.get("gpu_request", "gpus_per_node")
    if not isinstance(request, str) or not _GPU_REQUEST.fullmatch(request):
        raise ConfigError(
            source,
            f"gpu_request: {quoted(request)} is not gpus_per_node, gres, or a typed one such as "
            '"gres:gpu:a100:{n}"',
        )
    read_python(source, entry.get("python"))
    read_meeting(source, entry.get("rendezvous"))
    submitit = entry.get("submitit")
    if not isinstance(submitit, dict):
        raise ConfigError(source, "submitit: missing; write e.g. submitit: {timeout_min: 30}")
    limit = submitit.get("timeout_min")
    _check_positive(source, "submitit.timeout_min", limit, "minutes", "; write minutes, e.g. 60")
    for key, unit in (("cpus_per_task", "CPUs"), ("mem_gb", "GB")):
        if key in submitit:
            _check_positive(source, f"submitit.{key}", submitit[key], unit)


def _check_positive(source: str, key: str, value: Any, unit: str, hint: str = "") -> None:
    _check_whole(source, key, value, unit, 1, hint)


def _check_whole(source: str, key: str, value: Any, unit: str, least: int, hint: str = "") -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        problem = f"{key}: {quoted(value)} is not a whole number of {unit}, {least} or more"
        raise ConfigError(source, problem + hint)


def choose_profile(name: str, path: Path = CLUSTER_FILE) -> Profile:
    """The profile of this name; `auto` looks at the machine."""
    profiles = load_profiles(path)
    if name == "auto":
        name = _automatic_name(profiles)
    if name not in profiles:
        raise ConfigError("--cluster", f"{quoted(name)} is not in {path}: {', '.join(profiles)}")
    return profiles[name]


def _automatic_name(profiles: dict[str, Profile]) -> str:
    cluster_name = slurm_cluster_name()
    if cluster_name is None:
        if shutil.which("sbatch"):
            print(NOT_CONFIGURED, file=sys.stderr)
        return "local"
    matching = [
        name for name, p in profiles.items() if fnmatchcase(cluster_name, p.cluster_name or "")
    ]
    return matching[0] if matching else "slurm"
