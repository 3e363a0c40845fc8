"""A caution for shares that come from steps with marks, where the marks changed the steps."""

from report.analysis.time_use import MAX_INSTRUMENTATION_COST, instrumentation_cost
from report.data.measured import MeasuredCase
from report.wording.units import signed_percent


def instrumentation_warning(result: MeasuredCase) -> str:
    """A sentence, with a space before it; empty where marks cost little, or there are none."""
    cost = instrumentation_cost(result)
    if cost is None or abs(cost) <= MAX_INSTRUMENTATION_COST:
        return ""
    return f" These shares say little: with marks, a step took {signed_percent(cost)}."
