"""What launching kernels one by one costs: eager steps beside CUDA graphs of the same steps."""

from report.analysis.comparison import CANNOT, Pair, pairs, verdict, why_incomparable
from report.data.measured import MeasuredCase
from report.wording.units import seconds
from study.statistics.samples import estimate


def answer(results: list[MeasuredCase]) -> list[str]:
    """A sentence for each configuration that was measured both ways; none without such."""
    return [_compare(pair) for pair in pairs(results, "execution")]


def _compare(pair: Pair) -> str:
    eager, graph = pair.least, pair.most
    if problem := why_incomparable(eager, graph, "execution"):
        return f"{pair.label}What launching costs {CANNOT}: {problem}."
    words = verdict(eager, graph).words("launching them one by one", "one launch of all kernels")
    before, after = (seconds(estimate(result.steps_s)) for result in (eager, graph))
    return f"{pair.label}{words[0].upper()}{words[1:]}, with {after} and {before} a step."
