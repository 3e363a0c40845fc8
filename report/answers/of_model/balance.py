"""The balance of a pipeline's stages: the slowest over the mean, and what another would give."""

from collections.abc import Iterator, Sequence
from math import ceil

from report.analysis.comparison import CANNOT, verdict_words, why_incomparable
from report.analysis.profiled.stage_balance import StageBalance, balance_by, balance_of
from report.analysis.speedup import MAY_DIFFER
from report.answers.layer_names import layers_words
from report.answers.phrases import groups_of, on_gpus
from report.answers.pipelines.ranking import step_s
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.wording.names import balance_words, schedule_name
from report.wording.units import plural
from study.results.costs import BALANCES
from study.stages import chunks_of

QUESTION = "Do the stages of a pipeline take equally long?"
EVEN = 1.05  # times the mean stage; a slowest stage below that is as good as the mean
BETTER = 0.02  # of the ratio; a balance that gains less is not worth a word
MOST = 8  # sentences
BY = {"time": "takes {} times as long as", "flops": "has {} times the operations of"}


def sentences(results: Sequence[MeasuredCase]) -> list[str]:
    """Return a sentence for each way in which layers were cut, then what was measured of two."""
    found: dict[str, None] = {}
    for label, alike in groups_of(list(results), *MAY_DIFFER).items():
        found |= {f"{label}{text}": None for text in _cuts(alike)}
    told = list(found)
    more = len(told) - MOST
    rest = [f"The table has {more} more {plural(more, 'cut', 'cuts')}."] if more > 0 else []
    return [*told[:MOST], *rest, *_measured(results)] if told else []


def _cuts(alike: list[MeasuredCase]) -> Iterator[str]:
    """Yield a sentence for each cut, by its fastest case."""
    best: dict[tuple[object, ...], tuple[MeasuredCase, StageBalance]] = {}
    for result in sorted(alike, key=step_s):
        balance = balance_of(result)
        if balance is not None:
            cut = (result.emulated, result.case.gpus, tuple(balance.stage_of_layer))
            best.setdefault(cut, (result, balance))
    ranked = sorted(best.values(), key=lambda one: (one[0].case.gpus, one[0].case.balance))
    for result, balance in ranked:
        yield _cut(result, balance)


def _cut(result: MeasuredCase, balance: StageBalance) -> str:
    """Return how much longer the slowest stage takes, and what the best other balance gives."""
    assert result.model is not None
    how = balance_words(result.case.balance)
    where = f"{how[0].upper()}{how[1:]} {on_gpus(result)}"
    chunks = f", {chunks_of(result.case)} stages a GPU" if chunks_of(result.case) > 1 else ""
    source = _source(result, balance)
    if balance.ratio < EVEN:
        return f"{where}{chunks}, stages are even: the slowest is {balance.ratio:.2f} times the " \
               f"mean one{source}."  # fmt: skip
    names = [result.model.layers[layer].name for layer in balance.layers(balance.slowest)]
    what = BY[balance.by].format(f"{balance.ratio:.2f}")
    text = (
        f"{where}{chunks}, stage {balance.slowest} ({layers_words(names)}) {what} the mean "
        f"stage{source}"
    )
    return f"{text}{_other(result, balance)}."


def _source(result: MeasuredCase, balance: StageBalance) -> str:
    if balance.by == "flops":
        return " (no layer was timed)"
    return ", with layers timed on the CPU" if result.emulated else ""


def _other(result: MeasuredCase, balance: StageBalance) -> str:
    """Return what the best other balance would give, where that is better."""
    others = [(what, balance_by(result, what)) for what in BALANCES if what != result.case.balance]
    known = [(what, other) for what, other in others if other is not None]
    if not known:
        return ""
    # Of equally good ones the last: by time is what a user would choose.
    what, best = min(reversed(known), key=lambda one: one[1].ratio)
    if best.ratio > balance.ratio * (1 - BETTER):
        return "; no other balance makes it much better, as a layer is never split"
    text = f"; {balance_words(what)} it would be {best.ratio:.2f}"
    if chunks_of(result.case) > 1 or balance.by != "time" or result.emulated:
        return text
    shorter = ceil(round(100 * (1 - best.ratio / balance.ratio), 6))
    return f"{text}, which would shorten a step by up to {shorter} %"


def _measured(results: Sequence[MeasuredCase]) -> list[str]:
    """Return the verdict on each balance that was measured beside another one, all else equal."""
    pipelines = [r for r in results if balance_of(r) is not None]
    keys = differing(pipelines, "balance") if pipelines else []
    groups: dict[tuple[object, ...], list[MeasuredCase]] = {}
    for result in pipelines:
        groups.setdefault(tuple(result.case.value(key) for key in keys), []).append(result)
    return [_beside(first, other) for first, *others in groups.values() for other in others]


def _beside(first: MeasuredCase, other: MeasuredCase) -> str:
    names = [balance_words(r.case.balance) for r in (first, other)]
    label = _label(first)
    if problem := why_incomparable(first, other, "balance"):
        return f"{label}: whether it is faster {names[0]} or {names[1]} {CANNOT}: {problem}."
    words = verdict_words(first, other, f"the one {names[0]}", f"the one {names[1]}")
    return f"{label}, measured: {words}."


def _label(result: MeasuredCase) -> str:
    name = schedule_name(result.case).partition(", balanced by")[0].partition(", cut by")[0]
    return f"{name[0].upper()}{name[1:]} {on_gpus(result)}"
