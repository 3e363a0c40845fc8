"""`--watch`: the status table, live, until everything has ended."""

import time
from collections.abc import Callable
from typing import NamedTuple

from rich.console import Console
from rich.live import Live
from rich.text import Text

from jobs.status.case_status import CaseStatus
from jobs.terminal.status_table import make_lines, summary
from study.text import one_line

REFRESH_S = 5.0
LINES_KEPT = 4  # of the screen, for the titles, the summary and some air
_COLOURS = {"ok": "green", None: "cyan"}


class Overview(NamedTuple):
    """The status of some cases, and notes.

    Attributes:
        more_to_come: more is to be done, though none lives.
        is_blocked: some job of the folder waits for a person, and others may wait for it.
    """

    statuses: list[CaseStatus]
    notes: list[str]
    more_to_come: bool = False
    is_blocked: bool = False


def watch(refresh: Callable[[], Overview]) -> Overview:
    """Look again and again, and return what was seen last.

    Ends where every case has ended, or none of the rest will start by itself: at two looks, since a
    job whose turn has just come may still say that it waits. Leaving it with Ctrl-C leaves the jobs
    alone.
    """
    console = Console(stderr=True)
    stood_still = False
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            seen = refresh()
            live.update(_picture(seen, console.width, console.height), refresh=True)
            is_over = not any(o.is_live for o in seen.statuses)
            stands_still = not seen.more_to_come and not is_moving(seen)
            if stands_still and (is_over or stood_still):
                return seen
            stood_still = stands_still
            time.sleep(REFRESH_S)


def is_moving(seen: Overview) -> bool:
    """Return whether some job will still begin, or end, without a person.

    Jobs that wait for one that is stuck are stuck, too.
    """
    live = [o for o in seen.statuses if o.is_live and not o.is_stuck]
    return any(not seen.is_blocked or o.reason != "Dependency" for o in live)


def _picture(seen: Overview, width: int, height: int) -> Text:
    """Return what fits on the screen: cases under way first."""
    first = sorted(seen.statuses, key=lambda o: (not o.is_live, o.state == "PENDING"))
    shown = first[: max(1, height - LINES_KEPT - len(seen.notes))]
    hidden = len(first) - len(shown)
    titles, *rows = make_lines(shown, width)
    text = Text(titles[:width] + "\n", style="bold", no_wrap=True, overflow="crop")
    for status, row in zip(shown, rows, strict=True):
        text.append(row[:width] + "\n", style=_COLOURS.get(status.outcome, "red"))
    for note in seen.notes:
        text.append(one_line(f"note: {note}")[:width] + "\n", style="yellow")
    more = f"; {hidden} more rows do not fit" if hidden else ""
    text.append(f"{summary(seen.statuses)}{more}. Ctrl-C leaves; the jobs go on.", style="bold")
    return text
