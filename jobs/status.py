"""The table of `--status`: where every submitted case stands."""

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tabulate import tabulate

from jobs.judge import Observation

COLUMNS = ("case", "job id", "state", "reason", "node", "elapsed", "last seen", "outcome", "log")
_COLOURS = {"ok": "green", None: "cyan"}


def print_status(observations: list[Observation]) -> None:
    """The whole table on stdout, then what failed and why, and how many are how."""
    console = Console(highlight=False)
    if console.is_terminal and len(observations) < console.height:
        console.print(make_table(observations))
    elif observations:
        print(tabulate([_cells(o) for o in observations], COLUMNS, "plain", disable_numparse=True))
    print("\n".join([*reasons(observations), summary(observations)]), flush=True)


def make_table(observations: list[Observation]) -> Table:
    """A row a case, in the order they were submitted, folded to fit a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, no_wrap=column in ("case", "job id"), overflow="fold")
    for observation in observations:
        cells = (escape(cell) for cell in _cells(observation))
        table.add_row(*cells, style=_COLOURS.get(observation.outcome, "red"))
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
