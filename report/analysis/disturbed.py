"""A caution for shares that come from steps with marks, where the marks changed the steps."""

from report.analysis.time_use import DISTURBED, cost_of_instruments
from report.data.measured import Measured
from report.wording.units import signed_percent


def caution(result: Measured) -> str:
    """A sentence, with a space before it; empty where marks cost little, or there are none."""
    cost = cost_of_instruments(result)
    if cost is None or abs(cost) <= DISTURBED:
        return ""
    return f" These shares say little: with marks, a step took {signed_percent(cost)}."
