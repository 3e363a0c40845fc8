"""`--watch`: the status table, live, until everything has ended."""

import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from jobs.judge import Observation
from jobs.status import make_table, summary

Look = tuple[list[Observation], list[str]]  # where the cases stand, and notes for the person
REFRESH_S = 5.0
ROWS_KEPT = 6  # of the screen: the header, the summary and some air


def watch(look: Callable[[], Look]) -> Look:
    """Look again and again; what was seen last.

    Ends where every case has ended, or none of the rest will start by itself. Leaving it with
    Ctrl-C leaves the jobs alone.
    """
    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            observations, notes = look()
            live.update(_picture(observations, notes, console.height), refresh=True)
            if not any(o.is_live and not o.is_stuck for o in observations):
                return observations, notes
            time.sleep(REFRESH_S)


def _picture(observations: list[Observation], notes: list[str], height: int) -> Group:
    """What fits on the screen: those under way first."""
    first = sorted(observations, key=lambda o: (not o.is_live, o.state == "PENDING"))
    shown = first[: max(1, height - ROWS_KEPT - len(notes))]
    hidden = len(observations) - len(shown)
    more = f"; {hidden} more rows do not fit" if hidden else ""
    return Group(
        make_table(shown),
        *(Text(f"note: {note}", style="yellow") for note in notes),
        Text(f"{summary(observations)}{more}. Ctrl-C leaves; the jobs go on."),
    )
