"""The fewest GPUs on which a model fits, and where the next doubling pays too little."""

from report.answers.of_model.doublings import LEAST, Doubling, doublings
from report.answers.of_model.tried import Counts, gpus_words, schedules_words
from report.answers.phrases import listed
from report.data.measured import MeasuredCase
from report.wording.cautions import mark
from report.wording.names import schedule_name
from report.wording.units import count_of, seconds
from study.case import Case
from study.statistics.samples import estimate

PAYS = f"{100 * LEAST:.0f} %"
WHAT = (
    "A doubling of the GPUs pays 100 % if a step then takes half the time, and 50 % if it takes as "
    "long as before; each number of GPUs has its fastest schedule."
)


def sentences(counts: Counts) -> list[str]:
    """Return the answer in one sentence, then each doubling with what ran out of memory."""
    if not counts.fits:
        return [f"{counts.label}{_does_not_fit(counts)}"]
    found = doublings(counts.results)
    told = [f"{counts.label}{_fits(counts)}; {_pays(counts, found)}."]
    told += [f"{counts.label}{_each(doubling)}" for doubling in found]
    told += [WHAT] if found else []
    return [*told, *_ran_out(counts)]


def _does_not_fit(counts: Counts) -> str:
    others = f"; on {gpus_words(counts.open)} nothing was measured" if counts.open else ""
    is_most = max([*counts.open, *counts.full]) in counts.full
    beyond = "; more GPUs were not tried" if is_most else ""
    words = "; ".join(_full_words(counts, counts.full))
    is_clear = not counts.open and not any(map(counts.has_other_end, counts.full))
    said = "No number of GPUs that was tried is enough" if is_clear else "No case was measured"
    return f"{said}: {words}{others}{beyond}."


def _fits(counts: Counts) -> str:
    """Return on how many GPUs it fits at least, and what is known of fewer and of more."""
    least = counts.fits[0]
    fewer = [n for n in counts.full if n < least]
    more = [n for n in counts.full if n > least]
    text = f"The model fits on {count_of(least, 'GPU')}{_not_with(counts.full_on(least))}"
    parts = _full_words(counts, fewer)
    if unknown := [n for n in counts.open if n < least]:
        parts.append(f"on {gpus_words(unknown)} nothing was measured")
    known = {*fewer, *unknown}
    if len(known) < least - 1:
        parts.append(f"{'other numbers below' if known else 'fewer GPUs'} were not tried")
    parts += _full_words(counts, more)
    return f"{text} ({'; '.join(parts)})" if parts else text


def _full_words(counts: Counts, numbers: list[int]) -> list[str]:
    """Say that all cases that were tried on so many GPUs ran out of memory, or some of them."""
    mixed = [n for n in numbers if counts.has_other_end(n)]
    found = []
    if all_full := [n for n in numbers if n not in mixed]:
        found.append(f"on {gpus_words(all_full)} every case that was tried ran out of memory")
    if mixed:
        found.append(f"on {gpus_words(mixed)} none was measured, and some ran out of memory")
    return found


def _not_with(full: list[Case]) -> str:
    return f", though not with {schedules_words(full)}" if full else ""


def _pays(counts: Counts, found: list[Doubling]) -> str:
    """Return the first doubling that pays too little, and what is known of those before it."""
    if not found:
        return f"whether a doubling pays {PAYS} cannot be told: {_why_none(counts)}"
    at = next((n for n, doubling in enumerate(found) if doubling.kind == "less"), len(found))
    before = found[:at]
    enough = [doubling.counts for doubling in before if doubling.kind == "enough"]
    unclear = [doubling for doubling in before if doubling.kind == "open"]
    parts = []
    if enough:
        parts.append(f"doubling from {listed(enough)} GPUs pays {PAYS} or more")
    if unclear:
        parts.append(f"whether doubling {_unclear(unclear)} pays {PAYS} cannot be told")
    if at < len(found):
        less = found[at]
        parts.append(f"doubling from {less.counts} GPUs pays less than {PAYS} ({less.share})")
    elif counts.fits[-1] == found[-1].many.case.gpus:
        parts.append("no doubling beyond that was measured")
    return _joined(parts)


def _unclear(found: list[Doubling]) -> str:
    """Return `from 1 to 2 GPUs (79.8 %, …)`; what refuses a comparison is told of each one.

    A share that something disturbed may be far from what it seems to be: no interval holds it.
    """
    return listed(f"from {d.counts} GPUs{'' if d.problem else f' ({_known(d)})'}" for d in found)


def _known(doubling: Doubling) -> str:
    return f"{doubling.share}, of disturbed measurements" if doubling.is_rough else doubling.share


def _joined(parts: list[str]) -> str:
    return f"{', '.join(parts[:-1])}, and {parts[-1]}" if len(parts) > 1 else parts[0]


def _why_none(counts: Counts) -> str:
    if len(counts.fits) == 1:
        return f"it was measured on {gpus_words(counts.fits)} alone"
    return f"no two of {gpus_words(counts.fits)} are one twice the other"


def _each(doubling: Doubling) -> str:
    """Return one doubling with the schedules and step times."""
    if doubling.problem is not None:
        return f"What doubling from {doubling.counts} GPUs pays cannot be told: {doubling.problem}."
    few, many = map(_named, (doubling.few, doubling.many))
    return f"From {few} to {many}: the doubling pays {doubling.share}{mark(doubling.cautions)}."


def _named(result: MeasuredCase) -> str:
    time = seconds(estimate(result.steps_s))
    how = schedule_name(result.case)
    return f"{count_of(result.case.gpus, 'GPU')} ({how}, {time} a step)"


def _ran_out(counts: Counts) -> list[str]:
    """Name the schedules that ran out of memory where others did not."""
    some = [(n, counts.full_on(n)) for n in counts.fits[1:]]
    told = [f"on {count_of(n, 'GPU')} {schedules_words(full)}" for n, full in some if full]
    return [f"{counts.label}Out of memory, where others fit: {'; '.join(told)}."] if told else []
