"""The reason for step times at several depths: a cost per layer and a fixed cost, in turns."""

from itertools import pairwise

from report.analysis.comparison import CANNOT, is_disturbed
from report.analysis.depth_fit import STRAIGHT, Fit, fit_depth, in_interval, rounded, straightness
from report.analysis.step_time import step_time
from report.analysis.time_use import at_a_time, is_costly, longer_words
from report.answers.along import Along
from report.answers.phrases import about, listed, share
from report.answers.reasons.work import work
from report.data.measured import MeasuredCase
from report.wording.units import seconds
from study.models import KINDS
from study.schedules import SCHEDULES

STEADY = 0.05  # relative change of the time per layer
ONE = 1.25  # GPUs at work at a time, up to which they take turns


def reasons(group: Along) -> list[str]:
    """Return why more depth takes longer, or what there was to do where that is not seen."""
    kinds = set(group.kinds)
    if not kinds or "faster" in kinds:
        return []
    if not are_equal(group.cases[0]):
        return []
    if kinds != {"slower"}:
        return [f"{group.label}{text}"
                for pair, kind in zip(group.compared, group.kinds, strict=True)
                if kind != "slower" and (text := work(pair.least, pair.most))]  # fmt: skip
    cases = list(dict.fromkeys(r for pair in group.compared for r in (pair.least, pair.most)))
    line = fit_depth(cases)
    told = [_by_line(line, cases)] if line is not None else [_without_line(cases)]
    return [f"{group.label}{' '.join([*told, *_turns(cases[-1])])}"]


def unit_of(result: MeasuredCase) -> str:
    """Return what the depth of its kind of model counts: `layer` or `block`."""
    return KINDS[result.case.kind].depth_unit


def are_equal(result: MeasuredCase) -> bool:
    """Return True if all that its depth counts is alike, so that each one adds as much."""
    return result.case.kind in ("linear", "gpt")


def sequence(result: MeasuredCase) -> str:
    """Say that layers run in turn; in a pipeline they do for each micro-batch alone."""
    if SCHEDULES[result.case.schedule].is_pipeline:
        return f"For each micro-batch the {unit_of(result)}s run one after another"
    return f"The {unit_of(result)}s run one after another"


def _by_line(line: Fit, cases: list[MeasuredCase]) -> str:
    least, most = cases[0], cases[-1]
    text = (
        f"{sequence(least)}, each with the output of the one before: each extra "
        f"{unit_of(least)} adds about {in_interval(line.slope_s, line.slope)} to a step"
    )
    depths = [result.case.depth for result in cases]
    fit = f"(a straight line through depths {listed(depths)}, {line.fit})"
    fixed = in_interval(line.intercept_s, line.intercept)
    if line.intercept.low <= 0 <= line.intercept.high:
        return (
            f"{text} {fit}. A fixed cost a step cannot be told from none, {fixed}; the average "
            f"per {unit_of(least)} goes {_per_layer(cases)}."
        )
    if line.intercept_s < 0:
        return (
            f"{text} {fit}, but the first ones add less: the average per {unit_of(least)} "
            f"rises {_per_layer(cases)}. These results do not say why."
        )
    unit = unit_of(least)
    parts = [line.intercept_s / step_time(result).estimate_s for result in (least, most)]
    return (
        f"{text} {fit}. About {fixed} of every step does not depend on the depth: "
        f"{share(parts[0])} of a step at depth {least.case.depth}, {share(parts[1])} at depth "
        f"{most.case.depth}. More {unit}s share this fixed cost, so the average per {unit} falls "
        f"{_per_layer(cases)}, towards the {rounded(line.slope_s, line.slope)} that a {unit} adds."
    )


def _without_line(cases: list[MeasuredCase]) -> str:
    unit = unit_of(cases[0])
    if any(is_disturbed(a, b) for a, b in pairwise(cases)):
        return (
            f"What each {unit} adds {CANNOT}, since something disturbed them: on average a {unit} "
            f"takes {_averages(cases)}."
        )
    first, last = (step_time(r).estimate_s / r.case.depth for r in (cases[0], cases[-1]))
    if len(cases) > 2 and (r_squared := straightness(cases)) < STRAIGHT:
        return (
            f"The times are not on a straight line (R² = {r_squared:.2f}), so no cost per {unit} "
            f"is given: on average a {unit} takes {_averages(cases)}. These results do not say why."
        )
    times = _per_layer(cases)
    if abs(last / first - 1) < STEADY:
        return (
            f"{sequence(cases[0])}, so each one adds its time: the average per {unit} "
            f"stays about the same, {times}."
        )
    if last < first:
        return (
            f"{sequence(cases[0])}, so each one adds its time. The average per {unit} "
            f"falls {times}: part of a step does not grow with the depth."
        )
    return f"The average per {unit} rises {times}; these results do not say why."


def _averages(cases: list[MeasuredCase]) -> str:
    averages = listed(seconds(step_time(r).estimate_s / r.case.depth) for r in cases)
    return f"{averages} at depth {listed(result.case.depth for result in cases)}"


def _per_layer(cases: list[MeasuredCase]) -> str:
    first, last = (seconds(step_time(r).estimate_s / r.case.depth) for r in (cases[0], cases[-1]))
    return f"from {first} at depth {cases[0].case.depth} to {last} at depth {cases[-1].case.depth}"


def _turns(deepest: MeasuredCase) -> list[str]:
    """Say that several GPUs take turns, if the instrumented steps of the deepest case show it."""
    case, working = deepest.case, at_a_time(deepest)
    if case.gpus == 1 or case.schedule != "naive" or working is None or is_costly(deepest):
        return []
    if working > ONE or deepest.emulated:
        return []
    who = "second GPU does" if case.gpus == 2 else "other GPUs do"
    return [
        f"The {who} not shorten this, since the GPUs take turns: at depth {case.depth}, on average "
        f"{about(working)} of {case.gpus} compute at the same time{longer_words([deepest])}."
    ]
