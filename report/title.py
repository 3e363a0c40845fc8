"""The title block of a report: author, hardware, software, setting, dates and commits."""

from collections import Counter
from datetime import datetime

from report.data.commits import commit_words
from report.data.rows import Row
from report.data.selection import GridTable
from report.wording.hardware import hardware
from report.wording.units import UNKNOWN
from study.outcome import UNTRIED
from study.results.environment import Environment
from study.results.result import Result
from study.text import one_line

TITLE = "What happens when a model is split over several GPUs"


def make_about(
    grid_tables: list[GridTable], author: str | None = None, setting: str = ""
) -> list[tuple[str, str]]:
    """Return the title block of a document with these tables, as names and values.

    Args:
        grid_tables: The tables.
        author: Who measured; None where nobody is named.
        setting: What most of the tables have in common.
    """
    rows = _rows(grid_tables)
    jobs = [job for row in rows for job in row.jobs]
    results = [job.result for job in jobs if job.result is not None]
    environments = [result.environment for result in results if result.environment is not None]
    profiles = dict.fromkeys(s.profile for s in grid_tables if s.profile is not None)
    cases, of_each = [row.jobs for row in rows], _of_each_profile(grid_tables)
    about = [
        ("Author", author or ""),
        ("Clusters", ", ".join(profiles) if len(profiles) > 1 and not of_each else ""),
        ("Hardware", of_each or _hardware(environments) or UNKNOWN),
        ("Software", _software(environments)),
        ("Setting", setting),
        ("Measured", _dates(results)),
        ("Commit", commit_words(result.code for result in results)),
        ("Cases", "" if all(map(_is_measured, cases)) else _counts(cases)),
        ("Jobs", _counts([[job] for job in jobs]) if len(jobs) > len(rows) else ""),
    ]
    return [(name, value) for name, value in about if value]


def make_title(grid_tables: list[GridTable]) -> str:
    """Return the title of the only table, or of a document with several."""
    return grid_tables[0].grid.title if len(grid_tables) == 1 else TITLE


def _rows(grid_tables: list[GridTable]) -> list[Row]:
    """Return every case once, however many grids have it."""
    rows = {(s.profile, row.case.configuration): row for s in grid_tables for row in s.rows}
    return list(rows.values())


def _of_each_profile(grid_tables: list[GridTable]) -> str:
    """Return the hardware of each profile by its name; empty where all have the same."""
    found: dict[str, str] = {}
    for profile in dict.fromkeys(t.profile for t in grid_tables if t.profile is not None):
        rows = _rows([table for table in grid_tables if table.profile == profile])
        results = [job.result for row in rows for job in row.jobs if job.result is not None]
        words = _hardware([r.environment for r in results if r.environment is not None])
        found[profile] = words or UNKNOWN
    if len(set(found.values())) < 2:
        return ""
    return "; ".join(f"{profile}: {words}" for profile, words in found.items())


def _hardware(environments: list[Environment]) -> str:
    """Return each device with the most that one case used of it, and the hosts."""
    most: dict[str, int] = {}
    for environment in environments:
        name, count = hardware(environment), _gpus_used(environment)
        most[name] = max(count, most.get(name, 0))
    devices = [f"{count} × {name}" if count else name for name, count in sorted(most.items())]
    hosts = sorted({environment.host for environment in environments})
    return f"{'; '.join(devices)} ({', '.join(hosts)})" if devices else ""


def _gpus_used(environment: Environment) -> int:
    """Return the number of GPUs, those of all nodes; 0 where a CPU computed."""
    if not environment.gpus:
        return 0
    places = {(rank.host, rank.device) for rank in environment.ranks}
    return max(len(environment.gpus), len(places))


def _software(environments: list[Environment]) -> str:
    """Return the versions of torch, CUDA, driver and Python."""
    parts = []
    for name in ("torch", "cuda", "driver", "python"):
        values = {getattr(environment, name) for environment in environments} - {None}
        words = {"cuda": "CUDA", "python": "Python"}.get(name, name)
        parts += [f"{words} {' and '.join(sorted(map(one_line, values)))}"] if values else []
    return ", ".join(parts)


def _dates(results: list[Result]) -> str:
    days = sorted({datetime.fromisoformat(r.job.finished_at).date() for r in results})
    if not days:
        return UNKNOWN
    first, last = days[0].isoformat(), days[-1].isoformat()
    return first if first == last else f"{first} to {last}"


def _counts(cases: list[list[Row]]) -> str:
    """Count outcomes of cases, each given as its jobs; leave out what there is none of."""
    states = Counter(_state(jobs) for jobs in cases)
    order = ("measured", "failed", "not run", "missing")
    return ", ".join(f"{states[state]} {state}" for state in order if states[state])


def _is_measured(jobs: list[Row]) -> bool:
    return any(job.outcome == "ok" for job in jobs)


def _state(jobs: list[Row]) -> str:
    """Return `measured` if one of the jobs is, else `failed` if one failed by itself.

    `not run` is what was cancelled, preempted or lost.
    """
    if _is_measured(jobs):
        return "measured"
    outcomes = {job.outcome for job in jobs if job.outcome is not None}
    if not outcomes:
        return "missing"
    return "not run" if outcomes <= UNTRIED else "failed"
