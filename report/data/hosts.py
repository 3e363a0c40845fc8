"""Jobs that ran on one host at the same time, whatever table they are in."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from study.results.result import Result

K = TypeVar("K", bound=Hashable)
Span = tuple[float, float]

MOMENT_S = 1.0  # jobs that follow one another may overlap by less: they end after their last step


def hosts_of(result: Result) -> set[str]:
    """Return the hosts on which the case ran; none for one that failed before it could say."""
    if result.environment is None:
        return set()
    return {result.environment.host, *(rank.host for rank in result.environment.ranks)}


def clusters(profiles: Iterable[Iterable[Result]]) -> list[int]:
    """Return a number for each profile, equal for those whose results name a common GPU.

    Hosts of two clusters may have one name: a GPU's UUID is unique, a host's name is not.
    """
    found: list[int] = []
    seen: list[set[str]] = []
    for number, results in enumerate(profiles):
        known = [result.environment for result in results if result.environment is not None]
        mine = {gpu.uuid for environment in known for gpu in environment.gpus if gpu.uuid}
        same = {found[n] for n, others in enumerate(seen) if mine & others}
        found = [number if cluster in same else cluster for cluster in found] + [number]
        seen.append(mine)
    return found


def shared_hosts(
    results: Mapping[K, Result], cluster_of: Mapping[K, int] | None = None
) -> dict[K, tuple[str, ...]]:
    """Return, for each job that was not alone, the hosts on which another ran at the same time.

    A copy of a job's result is no other job. A job that left no result is not seen.

    Args:
        results: The result of each job.
        cluster_of: The cluster of each job; without it, all are of one.
    """
    jobs: dict[tuple[str, str], list[K]] = defaultdict(list)
    for key, result in results.items():
        jobs[result.case_id, result.job.started_at].append(key)
    spans: dict[tuple[str, int], list[tuple[Span, list[K]]]] = defaultdict(list)
    for keys in jobs.values():
        result = results[keys[0]]
        span = _seconds(result.job.started_at), _seconds(result.job.finished_at)
        if span[1] - span[0] > MOMENT_S:
            for host in hosts_of(result):
                spans[host, cluster_of[keys[0]] if cluster_of else 0].append((span, keys))
    found: dict[K, tuple[str, ...]] = {}
    for host, cluster in sorted(spans):
        for keys in _overlapping(spans[host, cluster]):
            for key in keys:
                found[key] = (*found.get(key, ()), host)
    return found


def _overlapping(jobs: list[tuple[Span, list[K]]]) -> list[list[K]]:
    """Return the jobs of a host that overlap with another one, each longer than a moment.

    In the order of their starts, one overlaps with an earlier one if it starts before the latest
    end so far, and with a later one if it ends after the next start.
    """
    if len(jobs) < 2:
        return []
    jobs = sorted(jobs, key=lambda job: job[0])
    with_another = [False] * len(jobs)
    latest_end = jobs[0][0][1]
    for i, (((_, end), _), ((next_start, next_end), _)) in enumerate(pairwise(jobs)):
        if end - next_start > MOMENT_S:
            with_another[i] = True
        if latest_end - next_start > MOMENT_S:
            with_another[i + 1] = True
        latest_end = max(latest_end, next_end)
    return [keys for (_, keys), shared in zip(jobs, with_another, strict=True) if shared]


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
