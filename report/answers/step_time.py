"""Task 2: does more depth improve speed, and why."""

from report.answers import launch_overhead
from report.answers.comparing import (
    CANNOT,
    Pair,
    extremes,
    groups,
    incomparable,
    pairs,
    verdict,
    why_no_pair,
)
from report.fit import fit_depth
from report.measured import Measured
from report.units import ratio, seconds
from study.confidence import estimate

QUESTION = "Whether more depth improves speed"
STEADY = 0.15  # a time per layer that changes by less is called steady


def answer(results: list[Measured]) -> list[str]:
    """Two sentences for each pair of the least and the greatest depth, all else equal.

    Where there are CUDA graphs, what launching costs goes before.
    """
    launching = launch_overhead.answer(results)
    found = pairs(results, "depth")
    if not found:
        return [*launching, f"{QUESTION} {CANNOT}: {why_no_pair(results, 'depth')}."]
    compared = [sentence for pair in found for sentence in _compare(pair)]
    return [*launching, *compared, *_lines(results)]


def _lines(results: list[Measured]) -> list[str]:
    """How well a straight line describes the step times that differ in depth alone."""
    lines = {label: _line(group) for label, group in groups(results, "depth").items()}
    return [f"{label}{line}" for label, line in lines.items() if line is not None]


def _line(group: list[Measured]) -> str | None:
    line = fit_depth(group)
    if line is None or line.slope_s <= 0:
        return None
    if any(incomparable(group[0], other, "depth") for other in group):
        return None
    if verdict(*extremes(group, "depth")).kind != "slower":
        return None  # a line through noise
    return f"A line through all {len(group)} depths: {line.words}."


def _compare(pair: Pair) -> list[str]:
    few, many = pair.least, pair.most
    if problem := incomparable(few, many, "depth"):
        return [f"{pair.label}{QUESTION} {CANNOT}: {problem}."]
    found = verdict(few, many)
    a, b = estimate(few.steps_s), estimate(many.steps_s)
    change = (
        f"from depth {few.case.depth} to {many.case.depth} "
        f"({ratio(many.case.depth / few.case.depth)} times the layers) the step time goes from "
        f"{seconds(a)} to {seconds(b)}; {found.words(_depth(few), _depth(many))}"
        f"{', on emulated GPUs' if many.emulated else ''}"
    )
    if found.kind == "undecided":
        return [f"{pair.label}{QUESTION} {CANNOT}: {change}."]
    if found.kind == "same":
        return [f"{pair.label}No difference can be seen: {change}."]
    if found.kind == "faster":
        return [
            f"{pair.label}In these results, yes: {change}. But layers that run one after another "
            "cannot get faster by being more: something else disturbed these measurements."
        ]
    slower = f"{pair.label}No, more depth makes a step slower: {change}."
    return [slower, _time_per_layer(few, many)]


def _depth(result: Measured) -> str:
    return f"depth {result.case.depth}"


def _time_per_layer(few: Measured, many: Measured) -> str:
    before, after = (estimate(r.steps_s) / r.case.depth for r in (few, many))
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
