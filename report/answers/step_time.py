"""Task 2: does more depth improve speed, and why."""

from report.answers.comparing import CANNOT, Pair, incomparable, pairs
from report.measured import Measured
from report.units import ratio, seconds
from study.statistics import median, separated

QUESTION = "Whether more depth improves speed"
STEADY = 0.15  # a time per layer that changes by less is called steady


def answer(results: list[Measured]) -> list[str]:
    """Two sentences for each pair of the least and the greatest depth, all else equal."""
    found = pairs(results, "depth")
    if not found:
        return [f"{QUESTION} {CANNOT}: it takes two depths, all else equal."]
    return [sentence for pair in found for sentence in _compare(pair)]


def _compare(pair: Pair) -> list[str]:
    few, many = pair.least, pair.most
    if problem := incomparable(few, many):
        return [f"{pair.label}{QUESTION} {CANNOT}: {problem}."]
    a, b = few.steps_s, many.steps_s
    layers = many.case.depth / few.case.depth
    change = (
        f"from depth {few.case.depth} to {many.case.depth} ({ratio(layers)} times the layers) the "
        f"step time goes from {seconds(median(a))} to {seconds(median(b))}, "
        f"{ratio(median(b) / median(a))} times"
        f"{', on emulated GPUs' if many.emulated else ''}"
    )
    if not separated(a, b):
        return [f"{pair.label}No difference can be seen: {change}, and the quartiles overlap."]
    if median(b) < median(a):
        return [
            f"{pair.label}In these results, yes: {change}. But layers that run one after another "
            "cannot get faster by being more: something else disturbed these measurements."
        ]
    slower = f"{pair.label}No, more depth makes a step slower: {change}."
    return [slower, _time_per_layer(few, many)]


def _time_per_layer(few: Measured, many: Measured) -> str:
    before, after = (median(r.steps_s) / r.case.depth for r in (few, many))
    times = f"from {seconds(before)} to {seconds(after)}"
    if abs(after / before - 1) < STEADY:
        return (
            f"The time per layer stays about the same ({times}), as it does when the layers run "
            "one after another and each one added adds its own time."
        )
    if after < before:
        return (
            f"The time per layer falls ({times}), as it would if part of a step did not grow with "
            "the depth and more layers shared it."
        )
    return f"The time per layer rises ({times}); these results do not say why."
