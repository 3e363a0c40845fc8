"""Reasons of missing measurements: a few words in the row, the whole message below the table."""

import re
from collections.abc import Sequence
from textwrap import shorten

MOST = 60  # characters in a row; longer reasons make a table unreadable
# torch's words; of several processes, a rank stands before them.
_NO_ROOM = re.compile(
    r"out of memory\. Tried to allocate (?P<asked>[\d.]+) (?P<unit>\w+)\. GPU (?P<gpu>\d+) has a "
    r"total capacity of [\d.]+ \w+ of which (?P<free>[\d.]+) (?P<its>\w+) is free"
)


def brief(reason: str) -> str:
    """Return the reason in a few words: `failed: out of memory on GPU 1: 30.7 GiB asked, …`."""
    if found := _NO_ROOM.search(reason):
        asked, free = (f"{float(found[key]):.3g}" for key in ("asked", "free"))
        return (
            f"failed: out of memory on GPU {found['gpu']}: {asked} {found['unit']} asked, "
            f"{free} {found['its']} free"
        )
    return shorten(reason, MOST, placeholder=" …")


def in_full(reasons: Sequence[tuple[str, str]]) -> list[str]:
    """Return the whole of each reason that its row does not have, once.

    Args:
        reasons: Names of cases, each with the reason.
    """
    of_reason: dict[str, list[str]] = {}
    for name, reason in reasons:
        if brief(reason) != reason:
            of_reason.setdefault(reason, []).append(name)
    return [f"{'; '.join(names)}: {reason}" for reason, names in of_reason.items()]
