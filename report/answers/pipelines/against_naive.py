"""Each schedule at its best, compared with the naive one on as many GPUs."""

from collections.abc import Sequence
from statistics import fmean

from report.analysis.bubble import bubbles
from report.analysis.comparison import cautions, is_disturbed, verdict
from report.analysis.replay import typical_step_s
from report.analysis.time_use import instrumentation_warning
from report.analysis.transfers import counted, in_collectives_s, total_bytes
from report.analysis.verdicts.rough import rough_words
from report.answers.pipelines import waiting
from report.answers.pipelines.ranking import NAMED, naive_name, name_of, step_s
from report.data.measured import MeasuredCase
from report.wording.cautions import mark
from report.wording.names import schedule_in_text, schedule_name
from report.wording.quantities import range_words
from report.wording.units import TIMES, count_of, data_size, percent
from study.schedules import SCHEDULES

PAIR = 2
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
    cases, where = count_of(len(field), "other case"), f"On {name_of(field[0])}"
    if len(counts) == 1 and len(field) > 1:
        every = "both other cases" if len(field) == PAIR else f"all {cases}"
        return f"{where} {every} {WORDS[kinds[0]][1]}."
    found = [f"{n} {WORDS[kind][n > 1]}{_named(kind, kinds, field)}" for kind, n in counts.items()]
    return f"{where}, of {cases}, {', '.join(found)}."


def _named(kind: str, kinds: Sequence[str], field: list[MeasuredCase]) -> str:
    """Name those that are not faster, if they are few."""
    names = [schedule_name(r.case) for r, its in zip(field, kinds, strict=True) if its == kind]
    few = kind != "faster" and len(names) <= NAMED and len(field) > 1
    return f" ({'; '.join(names)})" if few else ""


def _each(naive: MeasuredCase, best: list[MeasuredCase]) -> list[str]:
    """Compare each with naive."""
    told = [_words(naive, result) for result in best]
    return [f"{words[0].upper()}{words[1:]}." for words in told]


def _words(naive: MeasuredCase, result: MeasuredCase) -> str:
    found, names = verdict(naive, result), (naive_name(naive), schedule_in_text(result.case))
    words = rough_words(found, *names) if is_disturbed(naive, result) else found.words(*names)
    return f"{words}{mark(cautions(naive, result))}"


def _together(result: MeasuredCase) -> list[str]:
    """Describe the collectives of tensor and data parallelism, and the wait for them.

    Those of one pipeline are of shared weights, which have a question to themselves.
    """
    together = result.transfers.collectives
    if result.case.data_parallel > 1:
        return _between_replicas(result)
    if not together or not SCHEDULES[result.case.schedule].is_on_all_gpus:
        return []
    who, size = "process" if result.emulated else "GPU", data_size(total_bytes(together))
    name = schedule_in_text(result.case)
    text = f"With {name}, every {who} takes part in {counted(together)} a step, of {size} in all"
    waits = [b.communication for b in bubbles(result) if b.communication is not None]
    if not waits:
        return [f"{text}."]
    waited = f", and waits for them {percent(fmean(waits))} of a step on average."
    return [f"{text}{waited}{instrumentation_warning(result)}"]


def _between_replicas(result: MeasuredCase) -> list[str]:
    """Describe how replicas of a pipeline average their gradients, and how long GPUs take."""
    together, each = result.transfers.collectives, in_collectives_s(result)
    if not together:
        return []
    text = (
        f"With {schedule_in_text(result.case)}, replicas average the gradients of all stages, "
        f"{data_size(total_bytes(together))} in {counted(together)} a step{_and_shared(result)}"
    )
    if not each:
        return [f"{text}."]
    step_s, times = typical_step_s(result), sorted(each.values())
    took = range_words(times[0], times[-1], TIMES)
    who = "process" if result.emulated else "GPU"
    longest = percent(times[-1] / step_s)
    return [
        f"{text}. A {who} is in them, waiting included, for {took} of an instrumented step, "
        f"{longest} of it at most.{instrumentation_warning(result)}"
    ]


def _and_shared(result: MeasuredCase) -> str:
    """Say that shared weights are in these figures, where stages may share some."""
    shares = result.model is not None and any(
        layer.shares_with is not None for layer in result.model.layers
    )
    return ", with those of shared weights" if shares else ""
