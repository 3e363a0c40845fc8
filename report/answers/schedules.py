"""Schedules: which is the fastest on so many GPUs, and how each compares with naive."""

from collections.abc import Callable, Iterator

from report.analysis.comparison import CANNOT
from report.analysis.speedup import MAY_DIFFER, naive_on, why_not_ranked
from report.answers.phrases import groups_of, listed
from report.answers.pipelines import against_naive, fastest, left_out, settings
from report.answers.pipelines.ranking import Ranking, name_of, quickest
from report.answers.reasons import launching
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.units import plural
from study.statistics.samples import are_enough

QUESTION = "Which schedule is fastest"


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """For every GPU count above 1, name the fastest schedule, then compare each with naive."""
    found = [*_about_processes(results), *_each(results, _about_the_fastest)]
    return [
        Answer(f"{QUESTION}, and what holds it back?", found or [_too_few(results)]),
        *_unless_empty("How does each schedule compare with naive?", _beside_naive(results)),
        *_unless_empty(settings.MICRO_BATCHES, settings.of_micro_batches(results)),
        *_unless_empty(settings.GRADIENTS, settings.of_gradients(results)),
        *launching.answer(results),
    ]


def headlines(results: list[MeasuredCase]) -> list[str]:
    """Name the fastest on the most GPUs; real ones, if there are any."""
    real = [result for result in results if not result.emulated] or results
    most = max((result.case.gpus for result in real), default=1)
    on_most = [result for result in real if result.case.gpus in (1, most)]
    found = _each(on_most, lambda ranking: [fastest.headline(ranking)])
    return [f"Schedules: {text}" for text in found]


def _each(results: list[MeasuredCase], about: Callable[[Ranking], list[str]]) -> Iterator[str]:
    """Yield paragraphs on each ranking, which name their case where cases differ otherwise."""
    for label, alike in groups_of(results, *MAY_DIFFER).items():
        for ranking in _rankings(alike):
            yield from (f"{label}{paragraph}" for paragraph in about(ranking))


def _rankings(alike: list[MeasuredCase]) -> Iterator[Ranking]:
    """Yield what can be ranked on each GPU count; real and emulated results apart."""
    for gpus in sorted({result.case.gpus for result in alike if result.case.gpus > 1}):
        here = [result for result in alike if result.case.gpus == gpus]
        others = [result for result in here if result.case.schedule != "naive"]
        for emulated in (False, True):
            if alone := [result for result in others if result.emulated is emulated]:
                yield _ranking(alone, here, alike)


def _ranking(
    others: list[MeasuredCase], here: list[MeasuredCase], alike: list[MeasuredCase]
) -> Ranking:
    best = quickest(others)
    field = [r for r in others if r is best or why_not_ranked(best, r) is None]
    naive = naive_on(best.case.gpus, best, here)
    one = naive_on(1, best, alike)
    return Ranking(
        field=field,
        others=others,
        naive=naive,
        one=None if one is None or why_not_ranked(one, best) else one,
        problem="naive has no measurement here" if naive is None else why_not_ranked(naive, best),
    )


def _about_the_fastest(ranking: Ranking) -> list[str]:
    if not are_enough(quickest(ranking.others).steps_s):
        where = name_of(ranking.others[0])
        return [
            f"Which schedule is fastest on {where} {CANNOT}: there are too few timed steps or jobs "
            "for a confidence interval."
        ]
    return [
        " ".join(fastest.answer(ranking)),
        *left_out.sentences(quickest(ranking.others), ranking.others),
    ]


def _beside_naive(results: list[MeasuredCase]) -> list[str]:
    """Compare with naive where that is possible; each reason why it is not is told once."""
    told: list[str] = []
    refused: dict[tuple[str, str], list[str]] = {}
    has_graphs = any(result.case.execution == "cuda_graph" for result in results)
    for label, alike in groups_of(results, *MAY_DIFFER).items():
        for ranking in _rankings(alike):
            if ranking.naive is None and has_graphs:
                continue  # no graph holds several GPUs of one process
            if ranking.naive is not None and ranking.problem is None:
                words = " ".join(against_naive.answer(ranking.naive, ranking.field))
                told.append(f"{label}{words}")
            else:
                where = refused.setdefault((label, ranking.problem or ""), [])
                where.append(name_of(ranking.field[0]))
    return [*told, *(
        f"{label}Whether a schedule is faster than naive on {listed(where)} {CANNOT}: {problem}."
        for (label, problem), where in refused.items()
    )]  # fmt: skip


def _unless_empty(question: str, sentences: list[str]) -> list[Answer]:
    return [Answer(question, sentences)] if sentences else []


def _too_few(results: list[MeasuredCase]) -> str:
    if all(result.case.gpus == 1 for result in results):
        return f"{QUESTION} {CANNOT}: it takes 2 GPUs or more."
    return f"{QUESTION} {CANNOT}: no other schedule than naive was measured."


def _about_processes(results: list[MeasuredCase]) -> list[str]:
    """Warn that processes on a CPU say nothing about GPUs."""
    emulated = [r for r in results if r.emulated and r.case.in_processes]
    if not emulated:
        return []
    cores = {r.environment.cpu_count for r in emulated if r.environment.cpu_count is not None}
    shared = f"the {max(cores)} cores" if len(cores) == 1 else "the cores"
    return [
        f"EMULATED: {len(emulated)} of {len(results)} results "
        f"{plural(len(emulated), 'comes', 'come')} from processes that share {shared} of a CPU. "
        "Their times say nothing of GPUs."
    ]
