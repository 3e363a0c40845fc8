"""Throughput in what a user counts, tokens or images, and the share of the hardware's peak."""

from collections.abc import Sequence

from report.analysis.metrics import Baselines, metrics
from report.analysis.speedup import MAY_DIFFER, why_not_ranked
from report.answers.best.picks import fastest
from report.answers.phrases import groups_of, listed
from report.answers.pipelines.ranking import step_s
from report.data.measured import MeasuredCase
from report.wording.names import schedule_in_text
from report.wording.quantities import PLAIN, list_words
from report.wording.units import count_of, percent

NAMED = 4  # cases; of more that tie, only the number is given


def sentences(results: Sequence[MeasuredCase]) -> list[str]:
    """Return the highest throughput of each setting; emulated GPUs have none."""
    real = [result for result in results if not result.emulated]
    return [f"{label}{_highest(alike)}" for label, alike in groups_of(real, *MAY_DIFFER).items()]


def _highest(alike: list[MeasuredCase]) -> str:
    """Return the highest throughput, or all that may be it.

    Cases of one setting have one batch, so the highest is that of the shortest step.
    """
    if len(alike) == 1:
        return _best(alike[0], "measured")
    pick, by_time = fastest(alike), sorted(alike, key=step_s)
    if pick is None or pick.field == 1:
        return _tied(by_time[:2])
    if len(pick.cases) > 1:
        return _tied(pick.cases)
    best = pick.cases[0]
    second = next(result for result in by_time if result is not best)
    is_open = why_not_ranked(best, second) is not None
    return _best(best, f"of the {pick.field} cases that can be compared" if is_open else "measured")


def _items_a_step(result: MeasuredCase) -> int:
    """Return the tokens, images or samples of a step."""
    model = result.model
    return result.case.batch_size * (1 if model is None else model.items_per_row)


def _best(best: MeasuredCase, among: str) -> str:
    return f"The highest throughput {among} is {_rate(best)}.{_mfu(best)}"


def _tied(cases: Sequence[MeasuredCase]) -> str:
    """Name several cases none of which is known to have the highest throughput."""
    named, more = cases[:NAMED], len(cases) - NAMED
    rates = [*map(_rate, named), *([f"{more} more"] if more > 0 else [])]
    told = "; ".join(rates)
    return f"The highest throughputs measured cannot be told apart: {told}.{_mfus(named)}"


def _mfus(cases: Sequence[MeasuredCase]) -> str:
    """Return the shares of several cases in their order; empty where one is not known."""
    found = [metrics(case, Baselines([case])) for case in cases]
    mfus = [each.mfu for each in found if each.mfu is not None]
    shares = [each.share_of_fastest for each in found if each.share_of_fastest is not None]
    if len(mfus) < len(cases):
        return ""
    fastest_words = (
        f", and {listed(map(percent, shares))} by the fastest matrix product that each job measured"
        if len(shares) == len(cases)
        else ""
    )
    peak = f"the GPUs' dense {cases[0].case.dtype} peak in the datasheet"
    return f" Their MFUs are {listed(map(percent, mfus))} by {peak}{fastest_words}."


def _rate(result: MeasuredCase) -> str:
    """Return `262000 tokens/s, on 2 GPUs under DDP, 131000 a GPU`."""
    rate, gpus = _items_a_step(result) / step_s(result), result.case.gpus
    item = result.model.item if result.model is not None else "sample"
    shown, each = list_words([rate, rate / gpus], PLAIN)
    per_gpu = f", {each} a GPU" if gpus > 1 else ""
    where = f"on {count_of(gpus, 'GPU')} under {schedule_in_text(result.case)}"
    return f"{shown} {item}s/s, {where}{per_gpu}"


def _mfu(best: MeasuredCase) -> str:
    """Return the share of the datasheet's peak, and of the fastest product of the same job."""
    found = metrics(best, Baselines([best]))
    if found.mfu is None:
        return ""
    gpus, number = best.case.gpus, best.case.dtype
    of = "the GPU's" if gpus == 1 else f"the {gpus} GPUs'"
    fastest = (
        ""
        if found.share_of_fastest is None
        else f", and {percent(found.share_of_fastest)} by the fastest matrix product that the job "
        "measured"
    )
    return (
        f" Its MFU is {percent(found.mfu)} by {of} dense {number} peak in the datasheet{fastest}."
    )
