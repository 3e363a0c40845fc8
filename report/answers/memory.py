"""Task 4: are all GPUs used, does adding GPUs make training faster, and the memory of each."""

from report.analysis.comparison import (
    CANNOT,
    Pair,
    is_swept_instead,
    verdict_words,
    why_no_pair,
)
from report.answers import sweep
from report.answers.along import Along, along, refusals_along, verdict_on
from report.answers.of_gpus import utilisation
from report.answers.of_gpus.peaks import peaks
from report.answers.of_gpus.recompute import recomputing
from report.answers.of_gpus.yes_or_no import over_the_least, yes_or_no
from report.answers.phrases import groups_of, listed
from report.answers.reasons.more_gpus import explained, reasons, takes_turns
from report.data.labels import differing, differs
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.hardware import shared_device
from report.wording.units import count_of, plural, seconds
from study.statistics.digits import interval_of_ratio, short_percent
from study.statistics.samples import estimate

USED = "Are all GPUs used?"
FASTER = "Does adding GPUs make training faster?"
MEMORY = "How much memory does each GPU use?"
RECOMPUTED = "What does running layers again in backward save, and what does it cost?"
MOST = 8  # neighbours in one sentence
QUESTION = "Whether adding GPUs makes training faster"


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Tell what every GPU does, what adding GPUs does to the step time, and memory."""
    found = [
        Answer(USED, utilisation.utilisation(results)),
        Answer(FASTER, _adding_gpus(results)),
        Answer(MEMORY, peaks(results)),
        Answer(RECOMPUTED, recomputing(results)),
        *sweep.answer(results),
    ]
    return [answer for answer in found if answer.sentences]


def headlines(results: list[MeasuredCase]) -> list[str]:
    """Return the answer on adding GPUs, then that on their use."""
    groups = [group for group in _groups(results) if group.compared]
    if groups:
        is_part = bool(_emulated(results))
        pair = next(iter(explained(groups[0])), groups[0].ends[-1])
        told = [f"{groups[0].label}{yes_or_no(groups[0], is_part)}{_compare(pair)}"]
    else:
        told = _adding_gpus(results)[:1]
    found = [f"Adding GPUs: {text}" for text in told]
    return [*found, *utilisation.headlines(results), *sweep.headlines(results)]


def _adding_gpus(results: list[MeasuredCase]) -> list[str]:
    if is_swept_instead(results, "gpus"):
        return []
    if not _has_several(results):
        return [f"{QUESTION} {CANNOT}: {why_no_pair(results, 'gpus')}."]
    found = _groups(results)
    apart = _emulated(results)
    lines = [line for group in found for line in _told(group, bool(apart))]
    refused = [refusals_along(group, QUESTION, "gpus", "{} GPUs") for group in found]
    return [*lines, *(line for lines in refused for line in lines), *apart]


def _has_several(results: list[MeasuredCase]) -> bool:
    """Return True if some cases differ in GPUs alone."""
    return differs(results, "gpus") and any(
        differs(group, "gpus") for group in groups_of(results, "gpus").values()
    )


def _groups(results: list[MeasuredCase]) -> list[Along]:
    """Return the groups of cases on real GPUs: emulated ones share a device."""
    keys = differing(results, "gpus")
    return along([r for r in results if not r.emulated], "gpus", keys=keys)


def _emulated(results: list[MeasuredCase]) -> list[str]:
    """Refuse what was emulated, once for all groups of the same GPU counts."""
    labels: dict[tuple[str, str], list[str]] = {}
    for label, group in groups_of(results, "gpus").items():
        emulated = [result for result in group if result.emulated]
        if not emulated or len(group) < 2:
            continue
        counts = sorted({result.case.gpus for result in emulated})
        gpus = f"{listed(counts)} {plural(counts[-1], 'GPU')}"
        shared = listed(dict.fromkeys(shared_device(r.environment) for r in emulated))
        labels.setdefault((gpus, shared), []).append(label.removesuffix(": "))
    turns = [r for r in results if not r.emulated and takes_turns(r)]
    likely = " As many real ones would take turns, too, as the measured ones do." if turns else ""
    return [
        f"{'; '.join(found) + ': ' if any(found) else ''}{QUESTION} {CANNOT} for {gpus}: emulated "
        f"GPUs share {shared}, and are no faster together than it is alone.{likely}"
        for (gpus, shared), found in labels.items()
    ]


def _told(group: Along, is_part: bool) -> list[str]:
    if not group.compared:
        return []
    return [f"{group.label}{_answer(group, is_part)}", *reasons(group)]


def _answer(group: Along, is_part: bool) -> str:
    """Answer for one group: yes or no first, then the ends and every neighbour.

    `is_part` is True if other cases cannot be compared.
    """
    ends = group.ends
    between = [pair for pair in group.compared if pair not in ends]
    told = [" ".join(_compare(pair) for pair in ends)]
    if between and verdict_on(ends[-1]).kind == "undecided":
        between = [*between, *over_the_least(group)]
        told = [*_one_by_one(between), *_one_by_one(ends), *_repeats([*between, *ends])]
    elif between:
        told += [*_one_by_one(between), *_repeats(between)]
    return f"{yes_or_no(group, is_part)}{' '.join(told)}"


def _compare(pair: Pair) -> str:
    before, after = (seconds(estimate(result.steps_s)) for result in (pair.least, pair.most))
    return (
        f"From {_counts(pair)} {ADDING[verdict_on(pair).kind]}: {_words(pair)}, with {before} and "
        f"{after} a step."
    )


def _one_by_one(pairs: list[Pair]) -> list[str]:
    """Return a sentence on several pairs in short."""
    text = "; ".join(map(_short, pairs[:MOST]))
    more = f"; and {len(pairs) - MOST} more" if len(pairs) > MOST else ""
    return [f"{text[0].upper()}{text[1:]}{more}."]


def _short(pair: Pair) -> str:
    found = verdict_on(pair)
    if found.kind != "undecided":
        return f"from {_counts(pair)} {ADDING[found.kind]}: {_words(pair)}"
    change = f"change of the step time, {interval_of_ratio(found.low, found.high)}"
    return f"from {_counts(pair)} it cannot be told ({change})"


def _repeats(pairs: list[Pair]) -> list[str]:
    """Say how many jobs each would tell of the pairs that are open, if that is known."""
    found = [verdict_on(pair) for pair in pairs]
    repeats = [f.repeats for f in found if f.kind == "undecided" and f.repeats is not None]
    if not repeats:
        return []
    finest = max(repeats, key=lambda one: one.difference)
    difference = short_percent(finest.difference)
    return [
        f"With {finest.jobs} jobs on each number of GPUs, a difference of {difference} would show."
    ]


def _counts(pair: Pair) -> str:
    return f"{pair.least.case.gpus} to {pair.most.case.gpus} GPUs"


def _words(pair: Pair) -> str:
    few, many = (count_of(result.case.gpus, "GPU") for result in (pair.least, pair.most))
    return verdict_words(pair.least, pair.most, few, many, plural=True)


ADDING = {
    "faster": "training gets faster",
    "slower": "training gets slower",
    "same": "nothing changes",
    "undecided": "it cannot be told whether training gets faster",
}
