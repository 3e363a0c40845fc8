"""Summaries of raw samples."""

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from statistics import median

__all__ = ["median", "outliers", "quartiles"]


def quartiles(samples: Sequence[float]) -> tuple[float, float]:
    """First and third quartile, by linear interpolation within the samples (R's type 7)."""
    if len(samples) == 1:
        return samples[0], samples[0]
    first, _, third = statistics.quantiles(samples, n=4, method="inclusive")
    return first, third


def outliers(samples: list[float]) -> int:
    """How many samples lie more than three interquartile ranges outside of the quartiles.

    Tukey's "far out" (Exploratory Data Analysis, 1977). They are counted and kept.
    """
    ordered = sorted(samples)
    first, third = quartiles(ordered)
    reach = 3 * (third - first)
    far_above = len(ordered) - bisect_right(ordered, third + reach)
    return bisect_left(ordered, first - reach) + far_above
