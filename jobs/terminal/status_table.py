"""The table of `--status`: the status of every submitted case."""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from jobs.status.case_status import CaseStatus
from study.text import one_line, shortened
from study.values.description import model_words

COLUMNS: dict[str, Callable[[CaseStatus], str | None]] = {
    "profile": lambda o: o.profile,
    "case": lambda o: o.submission.case_id,
    "model": lambda o: model_words(o.submission.case),
    "job id": lambda o: o.submission.job_id,
    "state": lambda o: o.state,
    "reason": lambda o: o.reason,
    "node": lambda o: o.nodes,
    "elapsed": lambda o: _clock(o.elapsed_s),
    "last seen": lambda o: str(o.progress) if o.progress and o.state != "PENDING" else None,
    "outcome": lambda o: o.outcome,
    "log": lambda o: _short(o.log),
}  # fmt: skip
# Where they do not fit, in this order.
LEFT_OUT = ("log", "model", "reason", "node", "elapsed", "last seen")
IDS_SHOWN = 3  # of cases of which the same is said


def print_status(statuses: list[CaseStatus]) -> None:
    """Print the whole table, then what failed and why, then the counts."""
    if statuses:
        lines = [*make_lines(statuses), *reasons(statuses), summary(statuses)]
        print("\n".join(lines), flush=True)


def make_lines(statuses: list[CaseStatus], width: int | None = None) -> list[str]:
    """Return the titles and a line a case, in the order they were submitted.

    Args:
        statuses: of the cases.
        width: leave out columns until the lines are no longer than this.
    """
    cases = [o.submission.case for o in statuses]
    differs = {
        "profile": len({o.profile for o in statuses}) > 1,
        "model": len({(c.kind, c.value("factory"), c.value("command")) for c in cases}) > 1,
    }
    titles = [title for title in COLUMNS if differs.get(title, True)]
    lines = _lines(titles, statuses)
    for title in LEFT_OUT if width is not None else ():
        if max(map(len, lines)) > (width or 0) and title in titles:
            titles.remove(title)
            lines = _lines(titles, statuses)
    return lines


def _lines(titles: list[str], statuses: list[CaseStatus]) -> list[str]:
    rows = [[shortened(COLUMNS[t](o) or "–").strip() for t in titles] for o in statuses]
    columns = zip(*([f"{title}  " for title in titles], *rows), strict=True)
    widths = [max(map(len, column)) for column in columns]
    lines = (zip(cells, widths, strict=True) for cells in (titles, *rows))
    return ["  ".join(cell.ljust(width) for cell, width in line).rstrip() for line in lines]


def reasons(statuses: list[CaseStatus]) -> list[str]:
    """Return a line for each reason for which cases failed: the outcome in words."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for o in statuses:
        if o.outcome not in (None, "ok"):
            kept = "; its earlier result still counts" if o.has_earlier_result else ""
            alike[str(o.outcome), f"{o.why}{kept}"].append(o.submission.case_id)
    return [
        shortened(f"{first_few(ids)}: {outcome}: {why}") for (outcome, why), ids in alike.items()
    ]


def first_few(ids: list[str]) -> str:
    """Return the first few ids, and how many more there are."""
    more = len(ids) - IDS_SHOWN
    return ", ".join(ids[:IDS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def summary(statuses: list[CaseStatus]) -> str:
    """Return the counts of outcomes and states, e.g. `3 RUNNING, 12 ok, 1 timeout`."""
    words = Counter(o.outcome or o.state or "unknown" for o in statuses)
    return one_line(", ".join(f"{count} {word}" for word, count in sorted(words.items())))


def _clock(seconds: int | None) -> str | None:
    return None if seconds is None else str(timedelta(seconds=seconds))


def _short(path: Path) -> str | None:
    if path == Path():  # nobody says where
        return None
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
