"""Refuse what Slurm would refuse or never start, before anything is written or queued."""

import re
from collections.abc import Iterable
from datetime import datetime

from jobs.executor import NoAnswer
from jobs.planned import count_gpus
from jobs.profile import Profile
from jobs.slurm.commands import query, run_command
from jobs.slurm.nodes import ABLE, nodes_by_state
from jobs.slurm.queue import seconds_of
from jobs.slurm.sbatch import Request, resources_of
from jobs.terminal.messages import print_notes
from study.errors import ConfigError

# Slurm's own words, and the key of the profile they speak of.
_KEYS = {
    "partition": "submitit.slurm_partition",
    "time limit": "submitit.timeout_min",
    "account": "submitit.slurm_account",
    "qos": "submitit.slurm_qos",
    "feature": "submitit.slurm_constraint",
    "memory": "submitit.mem_gb",
    "node count": "gpus",
    "node configuration": "gpu_request, or submitit.cpus_per_task or mem_gb",
}


def check_with_slurm(
    profile: Profile, scripts: dict[Request, str], clock_s: int | None
) -> dict[int, float]:
    """Ask Slurm, once for each set of resources, whether it would take the jobs of these scripts.

    Args:
        profile: of the jobs.
        scripts: of each request.
        clock_s: Slurm's clock now, in seconds since 1970; None if unknown.

    Returns:
        The seconds until a job of so many GPUs would start, as far as Slurm estimates it.

    Raises:
        ConfigError: it would not, or would never start one.
    """
    starts: dict[int, float] = {}
    for request in _unlike(scripts):
        done = run_command("sbatch", "--test-only", stdin=scripts[request])
        if done.returncode != 0 and not _is_left_to_sbatch(done.stderr, profile):
            raise ConfigError(profile.source, _refusal(done.stderr.strip(), request, profile))
        _note_start(starts, request, done.stderr, clock_s)
    _check_time_limit(profile)
    return starts


def ask_for_starts(scripts: dict[Request, str], clock_s: int | None) -> dict[int, float]:
    """Return the same seconds, of those that Slurm would take; notes tell of the others.

    Args:
        scripts: of each request.
        clock_s: Slurm's clock now.
    """
    starts: dict[int, float] = {}
    for request in _unlike(scripts):
        done = run_command("sbatch", "--test-only", stdin=scripts[request])
        if done.returncode != 0:
            print_notes([f"Slurm would refuse {count_gpus(request.gpus)}: {done.stderr.strip()}"])
        _note_start(starts, request, done.stderr, clock_s)
    return starts


def _unlike(scripts: Iterable[Request]) -> Iterable[Request]:
    """Return a request for each set of resources."""
    alike = {(r.gpus, r.in_processes, r.least_nodes, r.exclude, r.size > 1): r for r in scripts}
    return alike.values()


def _note_start(
    starts: dict[int, float], request: Request, words: str, clock_s: int | None
) -> None:
    """Note when the job would start, if Slurm says so and no other of as many GPUs starts before.

    Args:
        starts: seconds by GPUs.
        request: of the job.
        words: of sbatch.
        clock_s: Slurm's clock now.
    """
    found = re.search(r" to start at (\S+)", words)
    if found is None or clock_s is None:
        return
    try:  # in seconds since 1970, as `run_command` asks for; a Slurm that knows no such wish: local
        word = found[1]
        start = float(word) if word.isdigit() else datetime.fromisoformat(word).timestamp()
    except ValueError:
        return
    before = starts.get(request.gpus)
    seconds = max(0.0, start - clock_s)
    starts[request.gpus] = seconds if before is None else min(before, seconds)


def _is_left_to_sbatch(words: str, profile: Profile) -> bool:
    """Return whether nodes are down, since sbatch queues then what --test-only refuses."""
    if "node configuration is not available" not in words.lower():
        return False
    try:
        states = nodes_by_state(profile.partition)
    except NoAnswer:
        return False
    unable = sorted(node for node, state in states.items() if state not in ABLE)
    if unable:
        nodes = ", ".join(unable)
        print_notes([f"{words}; left to sbatch, since down are: {nodes}"])
    return bool(unable)


def _refusal(words: str, request: Request, profile: Profile) -> str:
    left_out = {"exclude": request.exclude} if request.exclude else {}
    options = resources_of(request, profile) | left_out
    asked = " ".join(f"--{key.replace('_', '-')}={value}" for key, value in options.items())
    if request.exclude:
        return (
            f"{words}; left out are the nodes that failed, {request.exclude}: are there others for "
            f"{asked}? --force takes all nodes again; nothing was submitted"
        )
    key = next((key for word, key in _KEYS.items() if word in words.lower()), "gpu_request")
    there = f"; {_partitions()}" if key == _KEYS["partition"] else ""
    return (
        f"{key}: Slurm refuses {asked} with submitit: {profile.submitit}: {words}{there}; "
        "nothing was submitted; change the profile or the grid"
    )


def _partitions() -> str:
    """Name the partitions that a job may go to."""
    try:
        names = query("sinfo", "--noheader", "--format=%R").split()
    except NoAnswer:
        return "`sinfo` lists the partitions"
    return f"partitions here: {', '.join(dict.fromkeys(names))}"


def _check_time_limit(profile: Profile) -> None:
    """Refuse a limit above the partition's: many Slurms take such a job and never start it."""
    settings = profile.submitit or {}
    if profile.timeout_min is None or settings.get("slurm_qos"):  # a QOS may allow more
        return
    try:
        output = query("scontrol", "--all", "--oneliner", "show", "partition")
    except NoAnswer:
        return  # sbatch has had its say
    partitions = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in output.splitlines()]
    named = profile.partition
    ours = [p for p in partitions if _is_meant(p, named.split(",") if named else [])]
    limits = [seconds_of(p.get("MaxTime", "")) for p in ours]
    if limits and all(limit is not None and limit < 60 * profile.timeout_min for limit in limits):
        names = ", ".join(p.get("PartitionName", "") for p in ours)
        most = ", ".join(p.get("MaxTime", "") for p in ours)
        raise ConfigError(
            profile.source,
            f"submitit.timeout_min: {profile.timeout_min} is more than partition {names} allows "
            f"(MaxTime={most}), so its jobs would never start; nothing was submitted",
        )


def _is_meant(partition: dict[str, str], names: list[str]) -> bool:
    if not names:
        return partition.get("Default") == "YES"
    return partition.get("PartitionName") in names
