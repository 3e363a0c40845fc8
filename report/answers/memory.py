"""Task 4: are all GPUs used, does adding GPUs make training faster, and the memory of each."""

from report.analysis.comparison import (
    CANNOT,
    Pair,
    is_swept_instead,
    pairs,
    verdict_words,
    why_incomparable,
    why_no_pair,
)
from report.answers import sweep
from report.answers.along import Along, along, refusals_along, verdict_on
from report.answers.of_gpus import utilisation
from report.answers.of_gpus.peaks import peaks
from report.answers.phrases import groups_of, listed
from report.answers.reasons.more_gpus import reasons
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.hardware import shared_device
from report.wording.units import count_of, plural, seconds
from study.statistics.samples import estimate

USED = "Are all GPUs used?"
FASTER = "Does adding GPUs make training faster?"
MEMORY = "How much memory does each GPU use?"
QUESTION = "Whether adding GPUs makes training faster"


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Tell what every GPU does, what adding GPUs does to the step time, and memory."""
    found = [
        Answer(USED, utilisation.utilisation(results)),
        Answer(FASTER, _adding_gpus(results)),
        Answer(MEMORY, peaks(results)),
        *sweep.answer(results),
    ]
    return [answer for answer in found if answer.sentences]


def headlines(results: list[MeasuredCase]) -> list[str]:
    """Return the answer on adding GPUs, then that on their use."""
    groups = [group for group in _groups(results) if group.compared]
    told = [_answer(groups[0], bool(_emulated(results)))] if groups else _adding_gpus(results)[:1]
    return [*(f"Adding GPUs: {text}" for text in told), *utilisation.headlines(results)]


def _adding_gpus(results: list[MeasuredCase]) -> list[str]:
    if is_swept_instead(results, "gpus"):
        return []
    if not pairs(results, "gpus"):
        return [f"{QUESTION} {CANNOT}: {why_no_pair(results, 'gpus')}."]
    found = _groups(results)
    apart = _emulated(results)
    lines = [line for group in found for line in _told(group, bool(apart))]
    refused = [refusals_along(group, QUESTION, "gpus", "{} GPUs") for group in found]
    return [*lines, *(line for lines in refused for line in lines), *apart]


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
    return [
        f"{'; '.join(found) + ': ' if any(found) else ''}{QUESTION} {CANNOT} for {gpus}: emulated "
        f"GPUs share {shared}, and are no faster together than it is alone."
        for (gpus, shared), found in labels.items()
    ]


def _told(group: Along, is_part: bool) -> list[str]:
    if not group.compared:
        return []
    return [f"{group.label}{_answer(group, is_part)}", *reasons(group)]


def _answer(group: Along, is_part: bool) -> str:
    """Answer for one group: yes or no first, then every neighbour, then the ends.

    `is_part` is True if other cases cannot be compared.
    """
    kinds = set(group.kinds)
    lines = " ".join(_compare(pair) for pair in [*group.compared, *_ends(group)])
    so_far = ", as far as these results tell" if group.refused or is_part else ""
    if kinds == {"faster"}:
        return f"Yes{so_far}. {lines}"
    if "faster" in kinds:
        return f"Not always. {lines}"
    if "slower" in kinds:
        return f"No{so_far}. {lines}"
    return f"No, it makes no difference. {lines}" if kinds == {"same"} else lines


def _ends(group: Along) -> list[Pair]:
    """Return the most GPUs with the least, and with the least that split the model."""
    if len(group.compared) < 2:
        return []
    most = group.compared[-1].most
    others = [result for result in group.cases if result is not most]
    cases = [result for result in others if why_incomparable(result, most, "gpus") is None]
    firsts = [cases[0], *(case for case in cases[1:2] if cases[0].case.gpus == 1)]
    return [Pair(group.label, first, most) for first in firsts
            if first is not group.compared[-1].least]  # fmt: skip


def _compare(pair: Pair) -> str:
    few, many = pair.least, pair.most
    found = verdict_on(pair)
    before, after = (seconds(estimate(result.steps_s)) for result in (few, many))
    a, b = (count_of(result.case.gpus, "GPU") for result in (few, many))
    words = verdict_words(few, many, a, b, plural=True)
    return (
        f"From {few.case.gpus} to {many.case.gpus} GPUs {ADDING[found.kind]}: {words}, with "
        f"{before} and {after} a step."
    )


ADDING = {
    "faster": "training gets faster",
    "slower": "training gets slower",
    "same": "nothing changes",
    "undecided": f"it {CANNOT} whether training gets faster",
}
