"""Step time along an axis that no task asks for: batch size, dtype and the like."""

from report.analysis.comparison import CANNOT, Pair, swept_keys, verdict_words
from report.answers.along import Along, along, is_number, refusals_along
from report.answers.phrases import emulation_remark
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.names import begun, key_name, value_text
from report.wording.units import seconds
from study.statistics.samples import estimate


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Answer for each swept key in which cases differ, all else equal."""
    found = [
        Answer(f"Does {key_name(key)} change the step time?", _answers(along(results, key), key))
        for key in swept_keys(results)
    ]
    return [answer for answer in found if answer.sentences]


def headlines(results: list[MeasuredCase]) -> list[str]:
    """Return the first group's answer for each swept key."""
    swept = [(key, along(results, key)) for key in swept_keys(results)]
    return [
        f"{begun(key_name(key))}: {told[0].label}{_answer(told[0], key)}"
        for key, groups in swept
        if (told := [group for group in groups if group.compared])
    ]


def _answers(groups: list[Along], key: str) -> list[str]:
    told = [f"{group.label}{_answer(group, key)}" for group in groups if group.compared]
    name = f"{key_name(key)} {{}}"
    refused = [refusals_along(group, _question(key), key, name) for group in groups]
    return [*told, *(line for lines in refused for line in lines)]


def _answer(group: Along, key: str) -> str:
    """Answer for one group: yes or no first, then every neighbour."""
    lines = " ".join(_compare(pair, key) for pair in group.compared)
    rows = _per_row(group) if key == "batch_size" else ""
    kinds, remark = set(group.kinds), emulation_remark([pair.most for pair in group.compared])
    if (drift := group.drift) is not None:
        return f"Yes, over the whole range{remark}. {_compare(drift, key)} {lines}{rows}"
    if kinds <= {"same"}:
        return f"No difference can be seen{remark}. {lines}{rows}"
    if not kinds & {"slower", "faster"}:
        return f"{_question(key)} {CANNOT}{remark}. {lines}{rows}"
    if {"slower", "faster"} <= kinds and is_number(group.cases[0].case.value(key)):
        return f"Yes, but not in one direction{remark}. {lines}{rows}"
    return f"Yes{remark}. {lines}{rows}"


def _compare(pair: Pair, key: str) -> str:
    first, last = pair.least, pair.most
    before, after = (value_text(key, result.case.value(key)) for result in (first, last))
    name = key_name(key)
    words = verdict_words(first, last, f"{name} {before}", f"{name} {after}")
    times = [seconds(estimate(result.steps_s)) for result in (first, last)]
    return f"From {name} {before} to {after}, with {times[0]} and {times[1]} a step: {words}."


def _question(key: str) -> str:
    return f"Whether {key_name(key)} changes the step time"


def _per_row(group: Along) -> str:
    """Add the time per row of what was compared, which a larger batch is meant to improve."""
    cases = dict.fromkeys(r for pair in group.compared for r in (pair.least, pair.most))
    rows = ", ".join(
        f"{seconds(estimate(r.steps_s) / r.case.batch_size)} at batch {r.case.batch_size}"
        for r in cases
    )
    return f" A row of the batch takes {rows}."
