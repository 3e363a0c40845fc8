"""Task 2: does more depth improve speed, and why."""

from report.analysis.comparison import (
    CANNOT,
    Pair,
    is_disturbed,
    is_swept_instead,
    verdict_words,
    why_no_pair,
)
from report.analysis.depth_fit import fit_depth, in_interval
from report.analysis.step_time import step_time
from report.answers import sweep
from report.answers.along import Along, along, refusals_along, verdict_on
from report.answers.phrases import emulation_remark, on_gpus
from report.answers.reasons import launching
from report.answers.reasons.depth import are_equal, reasons, unit_of
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.units import seconds
from study.statistics.samples import estimate

WHY = "Why, and what does each {} add?"
QUESTION = "Whether more depth improves speed"
DOUBT = (
    "Layers that run one after another cannot get faster by being more: something else disturbed "
    "these measurements."
)


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Tell the cost of launching; compare each depth with the one before it, all else equal."""
    found = [
        *launching.answer(results),
        Answer("Does more depth make a step faster?", _depths(results)),
        Answer(
            WHY.format(unit_of(results[0])),
            [line for group in along(results, "depth") for line in reasons(group)],
        ),
        *sweep.answer(results),
    ]
    return [answer for answer in found if answer.sentences]


def headlines(results: list[MeasuredCase]) -> list[str]:
    """Return the answer on depth for the first group that has one, with the cost of a layer."""
    groups = [group for group in along(results, "depth") if group.compared]
    told = [_headline(group) for group in groups[:1]]
    return [*(f"Depth: {text}" for text in told), *sweep.headlines(results)]


def _headline(first: Along) -> str:
    """Return both ends with the cost of a layer, if each depth is clearly slower than the last."""
    is_clear = not any(is_disturbed(pair.least, pair.most) for pair in first.compared)
    if set(first.kinds) != {"slower"} or not is_clear:
        return f"{first.label}{_answer(first)}"
    least, most = first.compared[0].least, first.compared[-1].most
    cases = list(dict.fromkeys([least, *(pair.most for pair in first.compared)]))
    line = fit_depth(cases) if are_equal(least) else None
    in_turn = f", as {unit_of(least)}s run one after another"
    each = "" if line is None else (
        f": each extra {unit_of(least)} adds about {in_interval(line.slope_s, line.slope)}"
        f"{in_turn if most.case.schedule == 'naive' else ''}"
    )  # fmt: skip
    times = [seconds(step_time(result).estimate_s) for result in (least, most)]
    where = "" if most.gpus in first.label else f" {on_gpus(most)}"
    return (
        f"{first.label}more depth makes a step slower, from {times[0]} at depth {least.case.depth} "
        f"to {times[1]} at depth {most.case.depth}{where}{each}."
    )


def _depths(results: list[MeasuredCase]) -> list[str]:
    if is_swept_instead(results, "depth"):
        return []
    found = along(results, "depth")
    if not found:
        return [f"{QUESTION} {CANNOT}: {why_no_pair(results, 'depth')}."]
    told = [f"{group.label}{_answer(group)}" for group in found if group.compared]
    refused = [refusals_along(group, QUESTION, "depth", "depth {}") for group in found]
    return [*told, *(line for lines in refused for line in lines)]


def _answer(group: Along) -> str:
    """Answer for one group: yes or no first, then every neighbour."""
    lines = " ".join(_compare(pair) for pair in group.compared)
    kinds, remark = set(group.kinds), emulation_remark([pair.most for pair in group.compared])
    if (drift := group.drift) is not None:
        kind = verdict_on(drift).kind
        start = "No" if kind == "slower" else "In these results, yes"
        doubt = "" if kind == "slower" else f" But {DOUBT[0].lower()}{DOUBT[1:]}"
        clear = "though no two depths next to each other are known to differ"
        return f"{start}, {clear}{remark}. {_compare(drift)} {lines}{doubt}"
    if kinds == {"slower"}:
        return f"No, more depth makes a step slower{remark}. {lines}"
    if kinds == {"faster"}:
        return f"In these results, yes{remark}. {lines} But {DOUBT[0].lower()}{DOUBT[1:]}"
    if "faster" in kinds:
        first = group.compared[group.kinds.index("faster")]
        where = f"from depth {first.least.case.depth} to {first.most.case.depth}"
        return f"There is no clear answer: {where}, a step gets faster{remark}. {lines} {DOUBT}"
    if kinds == {"same"}:
        return f"No difference can be seen{remark}. {lines}"
    if "slower" in kinds:
        return f"Nowhere here does more depth make a step faster{remark}. {lines}"
    return f"{QUESTION} {CANNOT}{remark}. {lines}"


def _compare(pair: Pair) -> str:
    few, many = pair.least, pair.most
    words = verdict_words(few, many, f"depth {few.case.depth}", f"depth {many.case.depth}")
    before, after = (seconds(estimate(result.steps_s)) for result in (few, many))
    return (
        f"From depth {few.case.depth} to {many.case.depth}, with {before} and {after} a step: "
        f"{words}."
    )
