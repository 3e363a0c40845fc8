"""The number of GPUs to ask for, the fewest on which a model fits, and what ran out of memory."""

from report.answers.of_model import advice
from report.answers.of_model.doublings import Doubling, doublings
from report.answers.of_model.tried import Counts, gpus_words, schedules_words
from report.wording.units import count_of
from study.case import Case

WHAT = "A doubling pays 100 % if a step then takes half the time, 50 % if as long as before."


def sentences(counts: Counts) -> list[str]:
    """Return how many GPUs to ask for, on how many it fits, and what the number follows from."""
    if not counts.fits:
        return [f"{counts.label}{_does_not_fit(counts)}"]
    found = doublings(counts.results)
    ladder = advice.ladder_of(found)
    told = [advice.sentence(counts, ladder), f"{_fits(counts)}."]
    if not ladder.told:  # where it fits is all that is known of the number of GPUs
        told = [" ".join(told)]
    told += advice.compared(ladder)
    told += [_each(doubling) for doubling in found if doubling not in ladder.told]
    what = [] if ladder.top is None else [advice.RULE]
    what += [WHAT] if any(doubling.problem is None for doubling in found) else []
    return [*(f"{counts.label}{text}" for text in told), *what, *_ran_out(counts)]


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


def _each(doubling: Doubling) -> str:
    """Return one doubling with the schedules and step times."""
    few, many = map(advice.named, (doubling.few, doubling.many))
    if doubling.problem is not None:
        return f"What doubling from {few} to {many} pays cannot be told: {doubling.problem}."
    return f"From {few} to {many}: the doubling pays {doubling.share}."


def _ran_out(counts: Counts) -> list[str]:
    """Name the schedules that ran out of memory where others did not."""
    some = [(n, counts.full_on(n)) for n in counts.fits[1:]]
    told = [f"on {count_of(n, 'GPU')} {schedules_words(full)}" for n, full in some if full]
    return [f"{counts.label}Out of memory, where others fit: {'; '.join(told)}."] if told else []
