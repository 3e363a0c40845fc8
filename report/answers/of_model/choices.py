"""The fastest schedule on each number of GPUs, the cheapest case, and the one of least memory."""

from collections.abc import Sequence

from report.analysis.comparison import cautions, verdict
from report.analysis.speedup import MAY_DIFFER, why_not_ranked
from report.answers.phrases import groups_of, listed
from report.answers.pipelines.ranking import leaders, quickest, step_s
from report.data.measured import MeasuredCase
from report.wording.names import schedule_name
from report.wording.units import count_of, data_size, number, seconds
from study.statistics.comparison import Comparison
from study.statistics.samples import are_enough

SAME_MEMORY = 0.02  # relative; peaks that differ by less are called equal
BILLION = 1e9
NAMED = 4


def sentences(results: Sequence[MeasuredCase]) -> list[str]:
    """Return the choices for each setting, and what they hold for."""
    real = [result for result in results if not result.emulated]
    found = []
    for label, alike in groups_of(real, *MAY_DIFFER).items():
        told = [_fastest(alike), *_cheapest(alike), *_least_memory(alike)]
        found += [f"{label}{text}" for text in told]
    condition = "Each of these holds for this model, batch, number format and hardware alone."
    return [*found, condition] if found else []


def _fastest(alike: list[MeasuredCase]) -> str:
    counts = sorted({result.case.gpus for result in alike})
    each = [_on(gpus, [r for r in alike if r.case.gpus == gpus]) for gpus in counts]
    return f"For the shortest step: {'; '.join(each)}."


def _on(gpus: int, here: list[MeasuredCase]) -> str:
    """Name the fastest on so many GPUs, and all that cannot be told from it."""
    where = f"on {count_of(gpus, 'GPU')}"
    if len(here) == 1:
        return f"{where} {_with_time(here[0])}, the only one measured"
    best = quickest(here)
    if not are_enough(best.steps_s):
        return f"{where} nothing can be told, of too few timed steps or jobs"
    field = [r for r in here if r is best or why_not_ranked(best, r) is None]
    tied = leaders(sorted(field, key=step_s))[1:] if len(field) > 1 else []
    left = len(here) - len(field)
    apart = f" ({count_of(left, 'other')} cannot be compared with it)" if left else ""
    if len(tied) + 1 == len(field) > 1:
        return f"{where} no schedule is known to be faster than the others{apart}"
    second = f", from which {_some(tied)} cannot be told" if tied else ""
    return f"{where} {_with_time(best)}{second}{_but(best, field)}{apart}"


def _but(best: MeasuredCase, field: list[MeasuredCase]) -> str:
    """Return what makes the comparison with the next less than certain."""
    others = sorted((r for r in field if r is not best), key=step_s)
    found = cautions(best, others[0]) if others else []
    return f", with caution, since {' and '.join(found)}" if found else ""


def _cheapest(alike: list[MeasuredCase]) -> list[str]:
    """Name the case with the least GPU time, and all that may be as cheap."""
    known = [r for r in alike if are_enough(r.steps_s)]
    if len(known) < 2:
        return []
    best = min(known, key=cost_s)
    field = [r for r in known if r is best or why_not_ranked(best, r) is None]
    as_cheap = [r for r in field if r is not best and _is_as_cheap(best, r)]
    unit = f"GPU-hours per 10⁹ {_items(best)}"
    text = f"For the least GPU time: {_named(best)}, {number(gpu_hours(best))} {unit}"
    if len(field) == 1:
        return [f"{text}; no other case can be compared with it."]
    tied = f"; {_some(as_cheap, with_gpus=True)} may be as cheap" if as_cheap else ""
    left = len(alike) - len(field)
    apart = f"; {count_of(left, 'other')} cannot be compared with it" if left else ""
    return [f"{text}{tied}{_but(best, field)}{apart}."]


def _is_as_cheap(best: MeasuredCase, other: MeasuredCase) -> bool:
    """Return True if the other is not known to cost more GPU time."""
    found, more = verdict(best, other), other.case.gpus / best.case.gpus
    return Comparison(found.ratio * more, found.low * more, found.high * more).kind != "slower"


def cost_s(result: MeasuredCase) -> float:
    """Return the GPU-seconds of a step."""
    return result.case.gpus * step_s(result)


def items_a_step(result: MeasuredCase) -> int:
    """Return the tokens, images or samples of a step."""
    model = result.model
    return result.case.batch_size * (1 if model is None else model.items_per_row)


def gpu_hours(result: MeasuredCase) -> float:
    """Return the GPU-hours that a billion tokens, images or samples take."""
    return cost_s(result) / items_a_step(result) * BILLION / 3600


def _items(result: MeasuredCase) -> str:
    return f"{result.model.item if result.model is not None else 'sample'}s"


def _least_memory(alike: list[MeasuredCase]) -> list[str]:
    """Name the cases whose fullest GPU has the lowest peak."""
    known = [(r, r.fullest_gpu.peak_allocated_bytes or 0) for r in alike if r.fullest_gpu]
    if len(known) < 2:
        return []
    best, least = min(known, key=lambda one: one[1])
    equal = [r for r, peak in known if r is not best and peak <= least * (1 + SAME_MEMORY)]
    tied = f"; {_some(equal, with_gpus=True)} within 2 % of it" if equal else ""
    return [
        f"For the least memory: {_named(best)}, at most {data_size(least)} on a GPU at the peak of "
        f"a step{tied}."
    ]


def _named(result: MeasuredCase) -> str:
    return f"{schedule_name(result.case)} on {count_of(result.case.gpus, 'GPU')}"


def _with_time(result: MeasuredCase) -> str:
    return f"{schedule_name(result.case)} ({seconds(step_s(result))})"


def _some(results: Sequence[MeasuredCase], with_gpus: bool = False) -> str:
    """Return the names of a few cases, or how many they are."""
    if len(results) > NAMED:
        return count_of(len(results), "other")
    names = [_named(r) if with_gpus else schedule_name(r.case) for r in results]
    return listed(names)
