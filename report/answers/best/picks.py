"""The cases with the shortest step, the least GPU time and the lowest peak memory; ties together.

Two that their intervals do not tell apart are both picked. On one GPU every schedule does the same
work, so of several that tie there, naive alone is picked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from report.analysis.comparison import cautions, verdict, why_incomparable
from report.analysis.speedup import MAY_DIFFER
from report.analysis.verdicts.disturbances import why_unfit
from report.answers.pipelines.ranking import name_of, step_s
from report.data.measured import MeasuredCase
from study.statistics.comparison import Comparison

SAME_MEMORY = 0.02  # relative; peaks that differ by less are called equal
WAYS = (*MAY_DIFFER, "recompute", "execution")  # to train one and the same model


@dataclass(frozen=True)
class Pick:
    """The best of some cases by one measure.

    Attributes:
        cases: The first, then all that are not known to be worse, in order of the measure.
        are_equal: They are known to be as good as one another.
        field: The number of cases that they were compared with, themselves included.
        left_out: The number of those that could not be compared, or whose measure is unknown.
        cautions: Why the only first is less than certain.
    """

    cases: list[MeasuredCase]
    are_equal: bool
    field: int
    left_out: int
    cautions: Sequence[str] = ()


def cost_s(result: MeasuredCase) -> float:
    """Return the GPU-seconds of a step."""
    return result.case.gpus * step_s(result)


def peak_bytes(result: MeasuredCase) -> int:
    """Return the peak of the fullest GPU in bytes; 0 where it is not known.

    A CUDA graph keeps activations in a pool of its own, which is in no peak.
    """
    if result.fullest_gpu is None or result.case.execution == "cuda_graph":
        return 0
    return result.fullest_gpu.peak_allocated_bytes or 0


def fastest(results: Sequence[MeasuredCase]) -> Pick | None:
    """Return the cases with the shortest step; None where none can be compared with another."""
    return _pick(results, step_s, verdict)


def cheapest(results: Sequence[MeasuredCase]) -> Pick | None:
    """Return the cases with the least GPU time a step; None where none can be compared."""
    return _pick(results, cost_s, _compare_costs)


def least_memory(results: Sequence[MeasuredCase]) -> Pick | None:
    """Return the cases whose fullest GPU has the lowest peak; None without two known peaks."""
    known = sorted(filter(peak_bytes, results), key=peak_bytes)
    if len(known) < 2:
        return None
    enough = peak_bytes(known[0]) * (1 + SAME_MEMORY)
    cases = [result for result in known if peak_bytes(result) <= enough]
    return Pick(_plain(cases, cases), True, len(known), len(results) - len(known))


def _pick(
    results: Sequence[MeasuredCase],
    measure: Callable[[MeasuredCase], float],
    compare: Callable[[MeasuredCase, MeasuredCase], Comparison],
) -> Pick | None:
    fit = sorted((r for r in results if why_unfit(r) is None), key=measure)
    if not fit:
        return None
    best = fit[0]
    others = [r for r in fit[1:] if why_incomparable(best, r, *WAYS) is None]
    if not others and best is not min(results, key=measure):
        return None
    kinds = {result: compare(best, result).kind for result in others}
    tied = [result for result in others if kinds[result] != "slower"]
    first, *more = picked = _plain([best, *tied], [best, *tied])
    slower = _plain([result for result in others if result not in tied], picked)
    return Pick(
        picked,
        all(kinds[result] == "same" for result in tied),
        1 + len(others),
        len(results) - 1 - len(others),
        _cautions(first, slower[0]) if slower and not more else (),
    )


def _plain(cases: list[MeasuredCase], picked: list[MeasuredCase]) -> list[MeasuredCase]:
    """Return the cases without those on one GPU for which naive there is picked."""
    naive = {_other_ways(r) for r in picked if r.case.schedule == "naive" and r.case.gpus == 1}
    return [
        result
        for result in cases
        if result.case.gpus > 1
        or result.case.schedule == "naive"
        or _other_ways(result) not in naive
    ]


def _other_ways(result: MeasuredCase) -> tuple[object, ...]:
    """Return how one GPU trains the model, besides the schedule."""
    return tuple(result.case.value(key) for key in WAYS if key not in MAY_DIFFER)


def _cautions(best: MeasuredCase, other: MeasuredCase) -> Sequence[str]:
    """Return the cautions about the two, which their numbers of GPUs tell apart if they can."""
    if best.case.gpus == other.case.gpus:
        return cautions(best, other)
    return cautions(best, other, (f"on {name_of(best)}", f"on {name_of(other)}"))


def _compare_costs(best: MeasuredCase, other: MeasuredCase) -> Comparison:
    """Compare the GPU time of a step with that of the best."""
    found, more = verdict(best, other), other.case.gpus / best.case.gpus
    return Comparison(found.ratio * more, found.low * more, found.high * more)
