"""The table of `--status`: where every submitted case stands."""

import os
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jobs.judge import Observation

COLUMNS = ("case", "job id", "state", "reason", "node", "elapsed", "last seen", "outcome", "log")
WIDE = 1000  # columns of a file or a pipe, where nothing is to be wrapped
_COLOURS = {"ok": "green", None: "cyan"}


def print_status(observations: list[Observation]) -> None:
    """The whole table on stdout, then what failed and why, and how many are how."""
    console = Console(highlight=False, soft_wrap=False, width=None if _on_terminal() else WIDE)
    if observations:
        console.print(make_table(observations))
    for text in reasons(observations):
        console.print(text, markup=False, soft_wrap=True)
    console.print(summary(observations), markup=False)


def _on_terminal() -> bool:
    return os.isatty(1)


def make_table(observations: list[Observation]) -> Table:
    """A row a case, in the order they were submitted."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, no_wrap=column in ("case", "job id"), overflow="fold")
    for observation in observations:
        table.add_row(*_cells(observation), style=_COLOURS.get(observation.outcome, "red"))
    return table


def _cells(seen: Observation) -> tuple[str, ...]:
    return (
        seen.submission.case_id,
        seen.submission.job_id,
        seen.state or "–",
        seen.reason or "–",
        seen.nodes or "–",
        _clock(seen.elapsed_s),
        str(seen.progress) if seen.progress and seen.state != "PENDING" else "–",
        seen.outcome or "–",
        _short(seen.submission.log),
    )


def reasons(observations: list[Observation]) -> list[str]:
    """One line for each case that ended badly: the outcome in words."""
    bad = (o for o in observations if o.outcome not in (None, "ok"))
    return [f"{o.submission.case_id}: {o.outcome}: {o.why}" for o in bad]


def summary(observations: list[Observation]) -> str:
    """How many cases are how, e.g. `3 RUNNING, 12 ok, 1 timeout`."""
    words = Counter(o.outcome or o.state or "unknown" for o in observations)
    return ", ".join(f"{count} {word}" for word, count in sorted(words.items())) or "no jobs"


def _clock(seconds: int | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _short(log: str) -> str:
    path = Path(log)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else log
