"""Task 2: does more depth improve speed, and why."""

from report.analysis.comparison import (
    CANNOT,
    Pair,
    extremes,
    groups,
    is_swept_instead,
    pairs,
    refusals,
    verdict,
    why_incomparable,
    why_no_pair,
)
from report.analysis.depth_fit import fit_depth
from report.answers import sweep
from report.answers.work import time_per_layer, work
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.units import ratio, seconds
from study.statistics.samples import estimate

QUESTION = "Whether more depth improves speed"
DOUBT = (
    "But layers that run one after another cannot get faster by being more: something else "
    "disturbed these measurements."
)


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Tell the cost of launching; compare the least with the greatest depth, all else equal."""
    found = [
        Answer("What does launching kernels one by one cost?", _launching(results)),
        Answer("Does more depth make a step faster, and why?", _depths(results)),
        *sweep.answer(results),
    ]
    return [answer for answer in found if answer.sentences]


def _depths(results: list[MeasuredCase]) -> list[str]:
    found = pairs(results, "depth")
    if is_swept_instead(results, "depth"):
        return []
    if not found:
        return [f"{QUESTION} {CANNOT}: {why_no_pair(results, 'depth')}."]
    problems = [(pair, why_incomparable(pair.least, pair.most, "depth")) for pair in found]
    compared = [line for pair, problem in problems if problem is None for line in _compare(pair)]
    return [*compared, *refusals(QUESTION, problems), *_lines(results)]


def _lines(results: list[MeasuredCase]) -> list[str]:
    """Return the straight line through step times of cases that differ in depth alone."""
    lines = {label: _line(group) for label, group in groups(results, "depth").items()}
    return [f"{label}{line}" for label, line in lines.items() if line is not None]


def _line(group: list[MeasuredCase]) -> str | None:
    line = fit_depth(group)
    if line is None or line.slope_s <= 0:
        return None
    if any(why_incomparable(group[0], other, "depth") for other in group):
        return None
    if verdict(*extremes(group, "depth")).kind != "slower":
        return None  # a line through noise
    return f"A line through all {len(group)} depths: {line.words}."


def _compare(pair: Pair) -> list[str]:
    few, many = pair.least, pair.most
    found = verdict(few, many)
    a, b = estimate(few.steps_s), estimate(many.steps_s)
    change = (
        f"from depth {few.case.depth} to {many.case.depth} "
        f"({ratio(many.case.depth / few.case.depth)} times the layers) the step time goes from "
        f"{seconds(a)} to {seconds(b)}; {found.words(_depth(few), _depth(many))}"
        f"{', on emulated GPUs' if many.emulated else ''}"
    )
    match found.kind:
        case "undecided":
            return [f"{pair.label}{QUESTION} {CANNOT}: {change}.", work(few, many)]
        case "same":
            return [f"{pair.label}No difference can be seen: {change}.", work(few, many)]
        case "faster":
            return [f"{pair.label}In these results, yes: {change}. {DOUBT}"]
        case "slower":
            slower = f"{pair.label}No, more depth makes a step slower: {change}."
            return [slower, time_per_layer(few, many)]


def _depth(result: MeasuredCase) -> str:
    return f"depth {result.case.depth}"


def _launching(results: list[MeasuredCase]) -> list[str]:
    """Compare eager steps with CUDA graphs of the same steps: the cost of launching kernels."""
    return [_compare_launching(pair) for pair in pairs(results, "execution")]


def _compare_launching(pair: Pair) -> str:
    eager, graph = pair.least, pair.most
    if problem := why_incomparable(eager, graph, "execution"):
        return f"{pair.label}What launching costs {CANNOT}: {problem}."
    words = verdict(eager, graph).words("launching them one by one", "one launch of all kernels")
    before, after = (seconds(estimate(result.steps_s)) for result in (eager, graph))
    return f"{pair.label}{words[0].upper()}{words[1:]}, with {after} and {before} a step."
