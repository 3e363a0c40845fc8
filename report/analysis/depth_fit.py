"""Least-squares line through step times against depth."""

import statistics
from dataclasses import dataclass

from report.analysis.step_time import step_time
from report.data.measured import MeasuredCase
from report.wording.units import seconds

MIN_DEPTHS = 3


@dataclass(frozen=True)
class Fit:
    """step time = intercept_s + slope_s * depth.

    R² is the share of the variance that the line explains; None where all times are equal.
    """

    slope_s: float
    intercept_s: float
    r_squared: float | None

    @property
    def words(self) -> str:
        """The slope, which is the time per layer, and R²."""
        fit = "" if self.r_squared is None else f" (R² = {self.r_squared:.4f})"
        return f"{seconds(self.slope_s)} per layer{fit}"


def fit_depth(results: list[MeasuredCase]) -> Fit | None:
    """Fit the medians of cases that differ in depth alone; None for fewer than three depths."""
    depths = [float(result.case.depth) for result in results]
    if len(set(depths)) < MIN_DEPTHS:
        return None
    times = [step_time(result).estimate_s for result in results]
    slope, intercept = statistics.linear_regression(depths, times)
    r_squared = statistics.correlation(depths, times) ** 2 if len(set(times)) > 1 else None
    return Fit(slope, intercept, r_squared)
