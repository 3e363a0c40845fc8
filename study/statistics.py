"""Summaries of raw samples."""

import statistics
from statistics import median

__all__ = ["median", "quartiles", "separated"]


def quartiles(samples: list[float]) -> tuple[float, float]:
    """First and third quartile, by linear interpolation within the samples (R's type 7)."""
    if len(samples) == 1:
        return samples[0], samples[0]
    first, _, third = statistics.quantiles(samples, n=4, method="inclusive")
    return first, third


def separated(a: list[float], b: list[float]) -> bool:
    """Whether the middle halves of two samples do not overlap; a coarse test for "different"."""
    (a_low, a_high), (b_low, b_high) = quartiles(a), quartiles(b)
    return a_high < b_low or b_high < a_low
