"""The fastest schedule on each number of GPUs; report/answers/best has the best of all."""

from collections.abc import Sequence

from report.analysis.comparison import cautions
from report.analysis.speedup import MAY_DIFFER, why_not_ranked
from report.answers.phrases import groups_of
from report.answers.pipelines import left_out
from report.answers.pipelines.ranking import leaders, names_of, quickest, step_s
from report.data.measured import MeasuredCase
from report.wording.cautions import mark
from report.wording.names import schedule_name
from report.wording.units import count_of, seconds
from study.statistics.samples import are_enough

NAMED = 4


def sentences(results: Sequence[MeasuredCase]) -> list[str]:
    """Return the fastest schedules of each setting, and what that holds for."""
    real = [result for result in results if not result.emulated]
    found = []
    for label, alike in groups_of(real, *MAY_DIFFER).items():
        on = {gpus: [r for r in alike if r.case.gpus == gpus] for gpus in _counts(alike)}
        each = "; ".join(_on(gpus, here) for gpus, here in on.items())
        found.append(f"{label}For the shortest step: {each}.")
        found += [f"{label}{text}" for here in on.values() for text in _left_out(here)]
    condition = "This holds for this model, batch, number format and hardware alone."
    return [*found, condition] if found else []


def _counts(alike: list[MeasuredCase]) -> list[int]:
    return sorted({result.case.gpus for result in alike})


def _left_out(here: list[MeasuredCase]) -> list[str]:
    best = quickest(here)
    return left_out.sentences(best, here) if are_enough(best.steps_s) else []


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
    return mark(found)


def _with_time(result: MeasuredCase) -> str:
    return f"{schedule_name(result.case)} ({seconds(step_s(result))})"


def _some(results: Sequence[MeasuredCase]) -> str:
    """Return the names of a few cases, or how many they are."""
    if len(results) > NAMED:
        return count_of(len(results), "other")
    return names_of(results)
