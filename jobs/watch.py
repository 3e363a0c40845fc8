"""`--watch`: the status table, live, until everything has ended."""

import time
from collections.abc import Callable
from typing import NamedTuple

from rich.console import Console
from rich.live import Live
from rich.text import Text

from jobs.judge import Observation
from jobs.status import make_lines, summary

REFRESH_S = 5.0
LINES_KEPT = 4  # of the screen, for the titles, the summary and some air
_COLOURS = {"ok": "green", None: "cyan"}


class Look(NamedTuple):
    """Where the cases stand, and notes; whether more is to be done though none lives."""

    observations: list[Observation]
    notes: list[str]
    more_to_come: bool = False


def watch(look: Callable[[], Look]) -> Look:
    """Look again and again; what was seen last.

    Ends where every case has ended, or none of the rest will start by itself. Leaving it with
    Ctrl-C leaves the jobs alone.
    """
    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            seen = look()
            live.update(_picture(seen, console.width, console.height), refresh=True)
            if not seen.more_to_come and not is_moving(seen.observations):
                return seen
            time.sleep(REFRESH_S)


def is_moving(observations: list[Observation]) -> bool:
    """Return whether some job will still begin, or end, without a person.

    Jobs that wait for one that is stuck are stuck, too.
    """
    live = [o for o in observations if o.is_live and not o.is_stuck]
    is_blocked = any(o.is_live and o.is_stuck for o in observations)
    return any(not is_blocked or o.reason != "Dependency" for o in live)


def _picture(seen: Look, width: int, height: int) -> Text:
    """What fits on the screen: those under way first."""
    first = sorted(seen.observations, key=lambda o: (not o.is_live, o.state == "PENDING"))
    shown = first[: max(1, height - LINES_KEPT - len(seen.notes))]
    hidden = len(first) - len(shown)
    titles, *rows = make_lines(shown, width)
    text = Text(titles[:width] + "\n", style="bold", no_wrap=True, overflow="crop")
    for observation, row in zip(shown, rows, strict=True):
        text.append(row[:width] + "\n", style=_COLOURS.get(observation.outcome, "red"))
    for note in seen.notes:
        text.append(f"note: {note}"[:width] + "\n", style="yellow")
    more = f"; {hidden} more rows do not fit" if hidden else ""
    text.append(f"{summary(seen.observations)}{more}. Ctrl-C leaves; the jobs go on.", style="bold")
    return text
