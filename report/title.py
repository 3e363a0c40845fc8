"""The title block of a report: grids, hardware, dates, commits, and counts of cases."""

from datetime import datetime

from report.data.selection import GridTable, Row
from report.wording.hardware import hardware
from report.wording.units import UNKNOWN
from study.results.result import Code, Result
from study.text import one_line

TITLE = "What happens when a model is split over several GPUs"
FILES = 3  # changed files that are named


def make_about(grid_tables: list[GridTable], author: str | None = None) -> list[tuple[str, str]]:
    """Return the title block of a document with these tables, as names and values."""
    rows = _rows(grid_tables)
    jobs = [job for row in rows for job in row.jobs]
    results = [job.result for job in jobs if job.result is not None]
    grids = list(dict.fromkeys(grid_table.grid.name for grid_table in grid_tables))
    profiles = dict.fromkeys(s.profile for s in grid_tables if s.profile is not None)
    about = [("Author", author)] if author else []
    about += [
        ("Grid" if len(grids) == 1 else "Grids", ", ".join(grids)),
        ("Cluster profile", ", ".join(profiles) or UNKNOWN),
        ("Hardware", _hardware(results)),
        ("Measured", _dates(results)),
        ("Commit", _commits(results)),
        ("Cases", _counts([row.jobs for row in rows])),
    ]
    if len(jobs) > len(rows):
        about.append(("Jobs", _counts([[job] for job in jobs])))
    return about


def make_title(grid_tables: list[GridTable]) -> str:
    """Return the title of the only table, or of a document with several."""
    return grid_tables[0].grid.title if len(grid_tables) == 1 else TITLE


def _rows(grid_tables: list[GridTable]) -> list[Row]:
    """Return every case once, however many grids have it."""
    rows = {(s.profile, row.case.configuration): row for s in grid_tables for row in s.rows}
    return list(rows.values())


def _hardware(results: list[Result]) -> str:
    environments = [result.environment for result in results if result.environment is not None]
    names = sorted({hardware(environment) for environment in environments})
    hosts = sorted({environment.host for environment in environments})
    return f"{'; '.join(names)} ({', '.join(hosts)})" if names else UNKNOWN


def _dates(results: list[Result]) -> str:
    days = sorted({datetime.fromisoformat(r.job.finished_at).date() for r in results})
    if not days:
        return UNKNOWN
    first, last = days[0].isoformat(), days[-1].isoformat()
    return first if first == last else f"{first} to {last}"


def _commits(results: list[Result]) -> str:
    texts = {_commit(code) for code in {result.code for result in results}}
    return ", ".join(sorted(texts)) or UNKNOWN


def _commit(code: Code) -> str:
    """Return the commit, and the files that differed from it where the result names them."""
    if code.commit is None:
        return UNKNOWN
    if not code.dirty:
        return code.commit[:7]
    changed = [one_line(path) for path in code.changed or ()]
    if not changed:
        return f"{code.commit[:7]} with changed files"
    if len(changed) > FILES:
        changed[FILES:] = [f"{len(changed) - FILES} more files"]
    return f"{code.commit[:7]} with changes in {_listed(changed)}"


def _listed(words: list[str]) -> str:
    """Return `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _counts(cases: list[list[Row]]) -> str:
    """Count outcomes of cases, each given as its jobs."""
    states = [_state(jobs) for jobs in cases]
    return ", ".join(f"{states.count(state)} {state}" for state in ("ok", "failed", "missing"))


def _state(jobs: list[Row]) -> str:
    """Return `ok` if one of the jobs is measured, else `failed` if one failed."""
    if any(job.outcome == "ok" for job in jobs):
        return "ok"
    return "missing" if all(job.outcome is None for job in jobs) else "failed"
