"""The table of `--status`: where every submitted case stands."""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tabulate import tabulate

from jobs.status.case_status import CaseStatus
from study.text import one_line, shortened

COLUMNS: dict[str, Callable[[CaseStatus], str | None]] = {
    "profile": lambda o: o.profile,
    "case": lambda o: o.submission.case_id,
    "job id": lambda o: o.submission.job_id,
    "state": lambda o: o.state,
    "reason": lambda o: o.reason,
    "node": lambda o: o.nodes,
    "elapsed": lambda o: _clock(o.elapsed_s),
    "last seen": lambda o: str(o.progress) if o.progress and o.state != "PENDING" else None,
    "outcome": lambda o: o.outcome,
    "log": lambda o: _short(o.log),
}  # fmt: skip
LEFT_OUT = ("log", "reason", "node", "elapsed", "last seen")  # where they do not fit, in this order
IDS_SHOWN = 3  # of cases of which the same is said


def print_status(statuses: list[CaseStatus]) -> None:
    """The whole table on stdout, then what failed and why, and how many are how."""
    if statuses:
        lines = [*make_lines(statuses), *reasons(statuses), summary(statuses)]
        print("\n".join(lines), flush=True)


def make_lines(statuses: list[CaseStatus], width: int | None = None) -> list[str]:
    """The titles and a line a case, in the order they were submitted.

    Args:
        width: leave out columns until the lines are no longer than this.
    """
    several = len({o.profile for o in statuses}) > 1
    titles = [title for title in COLUMNS if several or title != "profile"]
    lines = _lines(titles, statuses)
    for title in LEFT_OUT if width is not None else ():
        if max(map(len, lines)) > (width or 0):
            titles.remove(title)
            lines = _lines(titles, statuses)
    return lines


def _lines(titles: list[str], statuses: list[CaseStatus]) -> list[str]:
    rows = [[shortened(COLUMNS[title](o) or "–") for title in titles] for o in statuses]
    return tabulate(rows, titles, "plain", disable_numparse=True).splitlines()


def reasons(statuses: list[CaseStatus]) -> list[str]:
    """One line for each way in which cases ended badly: the outcome in words."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for o in statuses:
        if o.outcome not in (None, "ok"):
            kept = "; its earlier result still counts" if o.has_earlier_result else ""
            alike[str(o.outcome), f"{o.why}{kept}"].append(o.submission.case_id)
    return [
        shortened(f"{first_few(ids)}: {outcome}: {why}") for (outcome, why), ids in alike.items()
    ]


def first_few(ids: list[str]) -> str:
    """The first few, and how many more."""
    more = len(ids) - IDS_SHOWN
    return ", ".join(ids[:IDS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def summary(statuses: list[CaseStatus]) -> str:
    """How many cases are how, e.g. `3 RUNNING, 12 ok, 1 timeout`."""
    words = Counter(o.outcome or o.state or "unknown" for o in statuses)
    return one_line(", ".join(f"{count} {word}" for word, count in sorted(words.items())))


def _clock(seconds: int | None) -> str | None:
    return None if seconds is None else str(timedelta(seconds=seconds))


def _short(path: Path) -> str | None:
    if path == Path():  # nobody says where
        return None
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
