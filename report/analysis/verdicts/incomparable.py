"""Reasons why two step times must not be compared."""

from report.analysis.verdicts.cautions import Places, clock_words, places_of
from report.analysis.verdicts.clock_gap import can_be_all, find_clock_gap
from report.analysis.verdicts.disturbances import why_unfit
from report.data.conditions import FOLLOWS, VARIABLES, conditions
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.data.variables import common_scope, why_variables_differ


def why_incomparable(
    a: MeasuredCase,
    b: MeasuredCase,
    *may_differ: str,
    any_software: bool = False,
    places: Places | None = None,
) -> str | None:
    """Return the reason why two step times must not be compared; None if they may be.

    Clocks that differ refuse a verdict that they could turn around, and are a caution in any other.

    Args:
        a: A measurement.
        b: Another one.
        may_differ: The keys that are compared; none for two runs of one configuration.
        any_software: Allow different versions of torch and of the driver.
        places: Phrases that tell one from the other, e.g. `on 5 GPUs`; else made from the keys.
    """
    if others := differing([a, b], *may_differ):
        return f"the cases differ in {' and '.join(others)}, too"
    if a.emulated != b.emulated:
        return "some results are emulated and some are not"
    scope = common_scope([a, b])
    left, right = conditions(a, scope, any_software), conditions(b, scope, any_software)
    follow = [FOLLOWS.get(key) for key in may_differ]
    for name in left:
        if left[name] != right[name] and name not in follow:
            values = "; ".join(sorted([left[name], right[name]]))
            if name == VARIABLES:
                values = why_variables_differ(a, b, scope)
            return f"they were measured {name} ({values})"
    return why_unfit(a) or why_unfit(b) or _why_clocks_forbid(a, b, places or places_of(a, b))


def _why_clocks_forbid(a: MeasuredCase, b: MeasuredCase, places: Places) -> str | None:
    gap = find_clock_gap(a, b)
    if gap is None or not can_be_all(gap, a, b):
        return None
    return f"{clock_words(gap, places)}, and that can be all of the difference"
