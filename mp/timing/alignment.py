"""The moment of a GPU's event on the host's clock, with a bound on the error."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

PROBES = 12
RESOLUTION_S = 5e-7  # of the time between two CUDA events


class Event(Protocol):
    """A CUDA event that keeps its time."""

    def record(self, stream: Any) -> None:
        """Ask the stream to reach it."""

    def query(self) -> bool:
        """Return whether the stream has reached it."""

    def elapsed_time(self, end_event: Any) -> float:
        """Return the milliseconds from this event to another."""


@dataclass(frozen=True)
class Probe:
    """An event that a GPU reached between two readings of the host's clock.

    Attributes:
        before_s: the host's clock before the event was recorded.
        after_s: the host's clock once the event was seen to be done.
        since_origin_s: from the origin to this event, on the GPU's clock.
    """

    before_s: float
    after_s: float
    since_origin_s: float


@dataclass(frozen=True)
class Alignment:
    """The origin on the host's clock, and by how much that may be wrong, in seconds."""

    origin_host_s: float
    error_s: float


def probe(events: Sequence[Event], stream: Any) -> list[Probe]:
    """Record the events one after another, each once the one before is done.

    Args:
        events: the first is the origin.
        stream: of an idle GPU.
    """
    seen = []
    for event in events:
        before = perf_counter()
        event.record(stream)
        while not event.query():
            pass
        seen.append((before, perf_counter()))
    return [
        Probe(before, after, events[0].elapsed_time(event) / 1e3)
        for event, (before, after) in zip(events, seen, strict=True)
    ]


def align(probes: Sequence[Probe]) -> Alignment:
    """Return the middle of the moments that the origin can have had.

    A GPU reaches an event after the host has begun to record it, and before the host sees it done.
    So each probe bounds the origin on both sides, and the origin lies within all of these bounds,
    however late some probes were reached (as Marzullo 1984 combines clocks). Clocks drift by less
    than the resolution of events meanwhile.
    """
    earliest = max(each.before_s - each.since_origin_s for each in probes)
    latest = min(each.after_s - each.since_origin_s for each in probes)
    return Alignment((earliest + latest) / 2, abs(latest - earliest) / 2 + RESOLUTION_S)
