"""The number of GPUs to ask for: the most up to which every measured doubling pays enough."""

from collections.abc import Sequence
from dataclasses import dataclass

from report.answers.of_model.doublings import LEAST, Doubling
from report.answers.of_model.tried import Counts, gpus_words
from report.answers.phrases import listed
from report.data.measured import MeasuredCase
from report.wording.names import schedule_in_text, schedule_name
from report.wording.units import count_of, seconds
from study.statistics.samples import estimate

PAYS = f"{100 * LEAST:.0f} %"
CONDITION = f"if a doubling has to pay {PAYS}"
RULE = f"The number named is the most GPUs up to which every doubling measured pays {PAYS} or more."
UNKNOWN = "How many GPUs pay cannot be told"


@dataclass(frozen=True)
class Ladder:
    """Doublings from the fewest GPUs on, up to the first that is not worth it.

    Attributes:
        climbed: Those that pay enough, or seem to.
        stop: The next one, which does not, seems not to, or cannot be told; None without one.
    """

    climbed: list[Doubling]
    stop: Doubling | None

    @property
    def told(self) -> list[Doubling]:
        """All of them, in order."""
        return [*self.climbed, *([] if self.stop is None else [self.stop])]

    @property
    def top(self) -> MeasuredCase | None:
        """The case to ask for; None where that cannot be told."""
        if self.climbed:
            return self.climbed[-1].many
        return None if self.stop is None or self.stop.problem else self.stop.few

    @property
    def is_sure(self) -> bool:
        """False if an interval or a disturbed measurement leaves open what a doubling pays."""
        return all(doubling.problem or doubling.kind != "open" for doubling in self.told)


def ladder_of(found: Sequence[Doubling]) -> Ladder:
    """Return the doublings that follow from one another, up to the first that does not pay.

    Args:
        found: Every doubling that was measured, from the fewest GPUs on.
    """
    climbed: list[Doubling] = []
    for doubling in found:
        if climbed and doubling.few.case.gpus > climbed[-1].many.case.gpus:
            break
        if not doubling.seems_enough:
            return Ladder(climbed, doubling)
        climbed.append(doubling)
    return Ladder(climbed, None)


def sentence(counts: Counts, ladder: Ladder) -> str:
    """Return the number of GPUs, its schedule and step time, then what each doubling pays."""
    top, stop = ladder.top, ladder.stop
    if top is None:
        return f"{UNKNOWN}: {_why_none(counts, stop)}.{_not_measured(counts, ladder)}"
    least = "At least " if stop is not None and stop.problem else ""
    open_words = "" if ladder.is_sure else ", but this is not sure"
    gpus = count_of(top.case.gpus, "GPU")
    what = f"{least}{gpus} under {schedule_in_text(top.case)} ({_time(top)} a step)"
    return f"{what}, {CONDITION}{open_words}: {_shares(ladder)}.{_not_measured(counts, ladder)}"


def compared(ladder: Ladder) -> list[str]:
    """Return the schedules that the doublings of the sentence compare, with their step times."""
    if ladder.top is None:
        return []
    valid = (doubling for doubling in ladder.told if doubling.problem is None)
    cases = dict.fromkeys(case for doubling in valid for case in (doubling.few, doubling.many))
    first, *others = cases
    words = [
        f"{schedule_in_text(first.case)} on {count_of(first.case.gpus, 'GPU')} "
        f"({_time(first)} a step)",
        *(f"{schedule_in_text(r.case)} on {r.case.gpus} ({_time(r)})" for r in others),
    ]
    return [f"Compared is the fastest schedule on each number of GPUs: {listed(words)}."]


def _shares(ladder: Ladder) -> str:
    """Return `from 1 to 2 GPUs it pays 95.0 % (…), from 2 to 4 GPUs only 68.8 % (…)`."""
    parts: list[str] = []
    for doubling in ladder.told:
        if doubling.problem is None:
            only = "only " if doubling.kind == "less" else ""
            pays = "" if parts else "it pays "
            parts.append(f"from {doubling.counts} GPUs {pays}{only}{doubling.share}")
    text, stop = ", ".join(parts), ladder.stop
    if stop is None or stop.problem is None:
        return text
    return f"{text}; what {named(stop.many)} pay cannot be told: {stop.problem}"


def _not_measured(counts: Counts, ladder: Ladder) -> str:
    """Return which numbers of GPUs are in no doubling, or that no larger one was measured."""
    if not ladder.told:
        return ""
    lowest, highest = ladder.told[0].few.case.gpus, ladder.told[-1].many.case.gpus
    is_most = highest == counts.fits[-1]
    without = [n for n in counts.fits if n < lowest]
    if ladder.stop is None and not is_most:
        without.append(highest)
    found = f" No doubling from {gpus_words(without)} was measured." if without else ""
    if is_most and (ladder.stop is None or ladder.stop.kind == "open"):
        found += " No larger number was measured."
    return found


def _why_none(counts: Counts, stop: Doubling | None) -> str:
    """Return why no number can be named, with the step times that were measured."""
    if stop is not None:
        few, many = named(stop.few), named(stop.many)
        return f"{few} and {many} cannot be compared, as {stop.problem}"
    if len(counts.fits) > 1:
        return f"no two of {gpus_words(counts.fits)} are one twice the other"
    first, *others = counts.results
    if others:
        return f"only cases on {gpus_words(counts.fits)} were measured"
    return f"only one case was measured, on {named(first)}"


def named(result: MeasuredCase) -> str:
    """Return `2 GPUs (DDP, 139 ms a step)`."""
    gpus = count_of(result.case.gpus, "GPU")
    return f"{gpus} ({schedule_name(result.case)}, {_time(result)} a step)"


def _time(result: MeasuredCase) -> str:
    return seconds(estimate(result.steps_s))
