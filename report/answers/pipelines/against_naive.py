"""Each schedule at its best, compared with the naive one on as many GPUs."""

from collections.abc import Sequence
from statistics import fmean

from report.analysis.bubble import bubbles
from report.analysis.comparison import cautions, is_disturbed, verdict
from report.analysis.time_use import instrumentation_warning
from report.analysis.transfers import counted, total_bytes
from report.analysis.verdicts.rough import rough_words
from report.answers.pipelines import waiting
from report.answers.pipelines.ranking import NAMED, naive_name, name_of, step_s
from report.data.measured import MeasuredCase
from report.wording.names import schedule_name
from report.wording.units import count_of, data_size, percent
from study.schedules import SCHEDULES

WORDS = {
    "faster": ("is faster than naive", "are faster than naive"),
    "same": ("takes as long", "take as long"),
    "slower": ("is slower", "are slower"),
    "undecided": ("cannot be told from naive", "cannot be told from naive"),
}


def answer(naive: MeasuredCase, field: list[MeasuredCase]) -> list[str]:
    """Count how many are faster than naive, then compare the best case of each schedule."""
    schedules = dict.fromkeys(result.case.schedule for result in field)
    best = [min((r for r in field if r.case.schedule == s), key=step_s) for s in schedules]
    sentences = [_counts(naive, field), *_each(naive, best)]
    for result in best:
        sentences += [*_together(result), *waiting.more_work(naive, result)]
    return sentences


def _counts(naive: MeasuredCase, field: list[MeasuredCase]) -> str:
    kinds = [verdict(naive, result).kind for result in field]
    counts = {kind: kinds.count(kind) for kind in WORDS if kind in kinds}
    found = [f"{n} {WORDS[kind][n > 1]}{_named(kind, kinds, field)}" for kind, n in counts.items()]
    cases = count_of(len(field), "other case")
    return f"On {name_of(field[0])}, of {cases}, {', '.join(found)}."


def _named(kind: str, kinds: Sequence[str], field: list[MeasuredCase]) -> str:
    """Name those that are not faster, if they are few."""
    names = [schedule_name(r.case) for r, its in zip(field, kinds, strict=True) if its == kind]
    few = kind != "faster" and len(names) <= NAMED and len(field) > 1
    return f" ({'; '.join(names)})" if few else ""


def _each(naive: MeasuredCase, best: list[MeasuredCase]) -> list[str]:
    """Compare each with naive; those with one and the same caution in one sentence."""
    told: dict[str, list[str]] = {}
    for result in best:
        since = " and ".join(cautions(naive, result, ("under naive", "there")))
        told.setdefault(since, []).append(_words(naive, result))
    clear = [f"{words[0].upper()}{words[1:]}." for words in told.pop("", [])]
    return [*clear, *(f"With caution, since {s}: {'; '.join(w)}." for s, w in told.items())]


def _words(naive: MeasuredCase, result: MeasuredCase) -> str:
    found, names = verdict(naive, result), (naive_name(naive), schedule_name(result.case))
    return rough_words(found, *names) if is_disturbed(naive, result) else found.words(*names)


def _together(result: MeasuredCase) -> list[str]:
    """Describe the collectives of tensor and data parallelism, and the wait for them.

    Those of a pipeline are of shared weights, which have a question to themselves.
    """
    together = result.transfers.collectives
    if not together or not SCHEDULES[result.case.schedule].is_on_all_gpus:
        return []
    who, size = "process" if result.emulated else "GPU", data_size(total_bytes(together))
    name = schedule_name(result.case)
    text = f"With {name}, every {who} takes part in {counted(together)} a step, of {size} in all"
    waits = [b.communication for b in bubbles(result) if b.communication is not None]
    if not waits:
        return [f"{text}."]
    waited = f", and waits for them {percent(fmean(waits))} of a step."
    return [f"{text}{waited}{instrumentation_warning(result)}"]
