"""Seconds at sizes between those that were timed."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from statistics import median

Point = tuple[float, float]  # a size, and the seconds at it


def points_of(timed: Iterable[Point]) -> list[Point]:
    """Return a point for each size, by size, with the median of its seconds."""
    of_size: dict[float, list[float]] = {}
    for size, seconds in timed:
        of_size.setdefault(size, []).append(seconds)
    return [(size, median(of_size[size])) for size in sorted(of_size)]


def seconds_at(points: Sequence[Point], size: float) -> float:
    """Return the seconds at a size, on the line between the two sizes next to it.

    Beyond the largest size they grow at the rate between the two largest; below the smallest the
    line goes on, to no less than nothing. One point alone is in proportion to its size.

    Args:
        points: by size; one at least.
        size: the one that is wanted.
    """
    latency_s, slope = line_at(points, size)
    return max(0.0, latency_s + slope * size)


def line_at(points: Sequence[Point], size: float) -> tuple[float, float]:
    """Return the seconds at size 0 and the seconds for each unit of size of the line there.

    Args:
        points: by size; one at least.
        size: where the line is wanted.
    """
    if len(points) == 1:
        at, seconds = points[0]
        return (0.0, seconds / at) if at else (seconds, 0.0)
    right = min(max(1, bisect_left(points, (size,))), len(points) - 1)
    (a, low_s), (b, high_s) = points[right - 1], points[right]
    slope = max(0.0, (high_s - low_s) / (b - a))
    return low_s - slope * a, slope
