"""The balance of a pipeline's stages: the slowest over the mean, and what another would give."""

from collections.abc import Iterator, Sequence
from math import ceil

from msgspec.structs import replace

from report.analysis.comparison import CANNOT, verdict_words, why_incomparable
from report.analysis.profiled.stage_balance import StageBalance, balance_of, other_balances
from report.analysis.speedup import MAY_DIFFER
from report.answers.phrases import groups_of, on_gpus
from report.answers.pipelines.ranking import step_s
from report.answers.pipelines.slowest import EVEN, spread_words, stage_words, uneven_halves
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.wording.names import balance_words, schedule_in_text
from report.wording.units import plural
from study.results.costs import BALANCES
from study.schedules import SCHEDULES
from study.stages import chunks_of

QUESTION = "Do the stages of a pipeline take equally long?"
BETTER = 0.02  # of the ratio; a balance that gains less is not worth a word
MOST = 8  # sentences
TAKES = "takes {} times as long as"
BY = {"measured": TAKES, "time": TAKES, "flops": "has {} times the operations of"}


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
            case = result.case
            gpus = case.gpus, case.data_parallel
            cut = (result.emulated, *gpus, tuple(balance.stage_of_layer))
            best.setdefault(cut, (result, balance))
    ranked = sorted(best.values(), key=lambda one: (one[0].case.gpus, one[0].case.balance))
    for result, balance in ranked:
        yield _cut(result, balance)


def _cut(result: MeasuredCase, balance: StageBalance) -> str:
    """Return how much longer the slowest stage takes, and what the best other balance gives."""
    how = balance_words(result.case.balance)
    where = f"{how[0].upper()}{how[1:]} {on_gpus(result)}"
    chunks = f", {chunks_of(result.case)} stages a GPU" if chunks_of(result.case) > 1 else ""
    if result.case.data_parallel > 1:
        chunks = f" in {result.case.data_parallel} replicas{chunks}"
    source = _source(result, balance)
    caution = spread_words(result) if balance.by == "measured" else ""
    if balance.ratio < EVEN:
        halves = uneven_halves(result) if balance.by == "measured" else ""
        return f"{where}{chunks}, stages are even: the slowest is {balance.ratio:.2f} times the " \
               f"mean one{source}{f', but {halves}' if halves else ''}{caution}."  # fmt: skip
    what = BY[balance.by].format(f"{balance.ratio:.2f}")
    slowest, other = stage_words(result, balance), _other(result, balance)
    return f"{where}{chunks}, {slowest} {what} the mean stage{source}{caution}{other}."


def _source(result: MeasuredCase, balance: StageBalance) -> str:
    """Say where the costs come from; of several schedules with one cut, the fastest was timed."""
    if balance.by == "flops":
        return " (no layer was timed)"
    if balance.by == "time":
        return f" (layers timed alone{', on the CPU' if result.emulated else ''})"
    name = SCHEDULES[result.case.schedule].label
    return f" (medians under {name}{', on the CPU' if result.emulated else ''})"


def _other(result: MeasuredCase, balance: StageBalance) -> str:
    """Return what the best other balance would give, where that is better."""
    found = other_balances(result)
    if not found:
        return (
            "; what another balance would give cannot be told, as stages of like layers did not "
            "take equally long"
        )
    now = found.pop(result.case.balance)
    # Of equally good ones the last: by time is what a user would choose.
    named = {what: found[what] for what in reversed(BALANCES) if what in found}
    by_hand = {what: other for what, other in found.items() if what not in BALANCES}
    what, best = min(named.items(), key=lambda one: one[1].ratio, default=(None, now))
    for hand, cut in by_hand.items():
        if cut.ratio < best.ratio * (1 - BETTER):
            what, best = hand, cut
    if what is None or best.ratio > now.ratio * (1 - BETTER):
        return "; no other balance makes it much better, as a layer is never split"
    text = f"; {balance_words(what)} it would be {best.ratio:.2f}"
    if chunks_of(result.case) > 1 or balance.by == "flops" or result.emulated:
        return text
    shorter = ceil(round(100 * (1 - best.ratio / now.ratio), 6))
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
    name = schedule_in_text(replace(result.case, balance="layers"))  # which is not named
    return f"{name[0].upper()}{name[1:]} {on_gpus(result)}"
