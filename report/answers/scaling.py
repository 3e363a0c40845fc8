"""The number of GPUs that is worth it: speed, efficiency and cost from one count to the next."""

from collections.abc import Iterator
from itertools import combinations, islice, pairwise

from report.analysis.comparison import CANNOT, cautions, is_disturbed, verdict
from report.analysis.metrics import Baselines, metrics
from report.analysis.speedup import MAY_DIFFER, why_not_ranked
from report.analysis.verdicts.rough import rough_digits
from report.answers.phrases import MOST_GROUPS, groups_of, more_settings
from report.answers.pipelines.ranking import quickest, step_s
from report.data.labels import differs
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.cautions import mark
from report.wording.names import schedule_name
from report.wording.quantities import GPU_TIMES, range_words
from report.wording.units import count_of, gpu_seconds, number, ratio, seconds
from study.statistics.comparison import SAME
from study.statistics.digits import MOST

QUESTION = "How many GPUs are worth it?"


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Compare each number of GPUs with the next, each with its fastest schedule.

    Emulated results are left out: their times say nothing of numbers of GPUs.
    """
    baselines, found = Baselines(results), []
    groups_found = list(_picked(results))
    for label, picked in groups_found[:MOST_GROUPS]:
        words = [*_best(picked), *(_step(a, b, baselines) for a, b in pairwise(picked))]
        found.append(f"{label}{' '.join(words)}")
    found += more_settings(len(groups_found))
    return [Answer(QUESTION, found)] if found else []


def headlines(results: list[MeasuredCase]) -> list[str]:
    """Compare the fewest with the most GPUs that can be compared."""
    baselines = Baselines(results)
    first = islice(_picked(results), MOST_GROUPS)
    return [f"Number of GPUs: {label}{_step(*_farthest(p), baselines)}" for label, p in first]


def _farthest(picked: list[MeasuredCase]) -> tuple[MeasuredCase, MeasuredCase]:
    """Return the fewest and the most GPUs, or the pair nearest to that which can be compared."""
    pairs = sorted(combinations(range(len(picked)), 2), key=lambda pair: pair[0] - pair[1])
    both = ((picked[few], picked[many]) for few, many in pairs)
    ends = picked[0], picked[-1]
    return next((pair for pair in both if why_not_ranked(*pair) is None), ends)


def _picked(results: list[MeasuredCase]) -> Iterator[tuple[str, list[MeasuredCase]]]:
    """Yield the fastest on each GPU count, by the label of what else differs."""
    real = [result for result in results if not result.emulated]
    for label, alike in groups_of(real, *MAY_DIFFER).items():
        counts = sorted({result.case.gpus for result in alike})
        picked: list[MeasuredCase] = []
        for gpus in counts if len(counts) > 1 else ():
            here = [result for result in alike if result.case.gpus == gpus]
            fit = [r for r in here if picked and why_not_ranked(picked[-1], r) is None]
            picked.append(simplest(fit or here))
        if picked:
            yield label, picked


def simplest(results: list[MeasuredCase]) -> MeasuredCase:
    """Return the fastest, or naive where no other is known to be faster."""
    first = quickest(results)
    naive = [r for r in results if r.case.schedule == "naive" and r is not first]
    tied = (r for r in naive if why_not_ranked(r, first) is None)
    return next((r for r in tied if verdict(r, first).kind != "faster"), first)


def _best(picked: list[MeasuredCase]) -> list[str]:
    """Name the fastest and the cheapest, where each count is known to be faster than the last."""
    for few, many in pairwise(picked):
        if why_not_ranked(few, many) is not None or verdict(few, many).kind != "faster":
            return []
    fastest, time = _gpus(picked[-1]), seconds(step_s(picked[-1]))
    text = f"A step is fastest on {fastest} ({time})"
    cheapest, second = sorted(picked, key=_cost_s)[:2]
    if _cost_s(cheapest) > (1 - SAME) * _cost_s(second):
        return [f"{text}."]
    cost = gpu_seconds(_cost_s(cheapest))
    if cheapest is picked[-1]:
        return [f"A step is fastest and cheapest on {fastest} ({time}, {cost})."]
    return [f"{text} and cheapest on {_gpus(cheapest)} ({cost})."]


def _step(few: MeasuredCase, many: MeasuredCase, baselines: Baselines) -> str:
    """Say what the GPUs from one count to another gain and cost."""
    between = f"{_named(few, [few, many])} to {_named(many, [few, many])}"
    if problem := why_not_ranked(few, many):
        return f"Whether it pays to go from {between} {CANNOT}: {problem}."
    times = many.case.gpus / few.case.gpus
    more = "twice the GPUs" if times == 2 else f"{ratio(times)} times the GPUs"
    before, after = (metrics(result, baselines) for result in (few, many))
    share = ""
    if before.efficiency is not None and after.efficiency is not None:
        share = f" (efficiency {100 * before.efficiency:.0f} → {100 * after.efficiency:.0f} %)"
    costs = range_words(_cost_s(many), _cost_s(few), GPU_TIMES, "instead of")
    return (
        f"From {between}: {_gain(few, many)} for {more}{share}; a step costs {costs}"
        f"{_cautions(few, many)}."
    )


def _gain(few: MeasuredCase, many: MeasuredCase) -> str:
    """Return the factor, with two digits and its caution where a side was disturbed."""
    found = verdict(few, many)
    if found.kind in ("same", "undecided"):
        return "no faster" if found.kind == "same" else "not known to be faster"
    factor = max(found.ratio, 1 / found.ratio)
    speed = "fast" if found.kind == "faster" else "long"
    if is_disturbed(few, many):
        return f"about {rough_digits(factor)} times as {speed}"
    return f"{number(factor) if factor < MOST else f'over {MOST}'} times as {speed}"


def _cautions(few: MeasuredCase, many: MeasuredCase) -> str:
    return mark(cautions(few, many, (f"on {_gpus(few)}", f"on {_gpus(many)}")))


def _cost_s(result: MeasuredCase) -> float:
    return result.case.gpus * step_s(result)


def _gpus(result: MeasuredCase) -> str:
    return count_of(result.case.gpus, "GPU")


def _named(result: MeasuredCase, both: list[MeasuredCase]) -> str:
    """Return the GPU count, with the schedule where the two have different ones."""
    if not any(differs(both, key) for key in MAY_DIFFER if key != "gpus"):
        return str(result.case.gpus) if result is both[0] else _gpus(result)
    return f"{_gpus(result)} ({schedule_name(result.case)})"
