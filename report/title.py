"""The title block of a report: what was measured, where, when, and with what result."""

from datetime import datetime

from report.document import Document, Section
from report.hardware import hardware
from report.selection import Row, Selection
from report.units import UNKNOWN
from study.result import Result

TITLE = "What happens when a model is split over several GPUs"


def make_document(
    selections: list[Selection],
    sections: list[Section],
    title: str | None = None,
    author: str | None = None,
) -> Document:
    """The sections, with a title block that follows from their results, but for these two."""
    rows = _rows(selections)
    jobs = [job for row in rows for job in row.jobs]
    results = [job.result for job in jobs if job.result is not None]
    grids = list(dict.fromkeys(selection.grid.name for selection in selections))
    profiles = dict.fromkeys(s.profile for s in selections if s.profile is not None)
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
    own = selections[0].grid.title if len(selections) == 1 else TITLE
    return Document(title or own, about, sections, author or "")


def _rows(selections: list[Selection]) -> list[Row]:
    """Every case once, however many tasks ask for it."""
    rows = {(s.profile, row.case.configuration): row for s in selections for row in s.rows}
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
    codes = {(r.code.commit, r.code.dirty) for r in results}
    texts = {
        UNKNOWN if commit is None else f"{commit[:7]}{' with changed files' if dirty else ''}"
        for commit, dirty in codes
    }
    return ", ".join(sorted(texts)) or UNKNOWN


def _counts(cases: list[list[Row]]) -> str:
    """How many of these cases, each given as its jobs, came to what."""
    states = [_state(jobs) for jobs in cases]
    return ", ".join(f"{states.count(state)} {state}" for state in ("ok", "failed", "missing"))


def _state(jobs: list[Row]) -> str:
    """A case is measured where one of its jobs is; else it failed where one of them did."""
    if any(job.outcome == "ok" for job in jobs):
        return "ok"
    return "missing" if all(job.outcome is None for job in jobs) else "failed"
