"""Schedules that would help: which are faster than naive, and their costs."""

from collections.abc import Sequence
from statistics import fmean

from report.analysis.bubble import bubbles
from report.analysis.comparison import CANNOT, groups, verdict
from report.analysis.speedup import MAY_DIFFER, naive_on, why_not_ranked
from report.analysis.time_use import instrumentation_warning
from report.analysis.transfers import counted, total_bytes
from report.answers import waiting
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.names import schedule_name
from report.wording.units import count_of, data_size, percent, ratio, seconds
from study.stages import allowed_speed_up
from study.statistics.samples import are_enough, estimate

QUESTION = "What would help"
NAMED = 6  # cases; of more, only the number is given
SAME_MEMORY = 0.05  # relative; peaks that differ by less are called equal


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """For every GPU count above 1, compare each schedule with naive, and explain the fastest."""
    sentences = _about_processes(results)
    for label, alike in groups(results, *MAY_DIFFER).items():
        for gpus in sorted({result.case.gpus for result in alike}):
            if gpus > 1:
                sentences += [f"{label}{text}" for text in _on(gpus, alike)]
    found = sentences or [f"{QUESTION} {CANNOT}: it takes 2 GPUs or more."]
    return [Answer("What would help?", found)]


def _about_processes(results: list[MeasuredCase]) -> list[str]:
    """Warn that processes on a CPU say nothing about GPUs."""
    emulated = [r for r in results if r.emulated and r.case.in_processes]
    if not emulated:
        return []
    cores = {r.environment.cpu_count for r in emulated if r.environment.cpu_count is not None}
    shared = f"the {max(cores)} cores" if len(cores) == 1 else "the cores"
    return [
        f"{QUESTION} GPUs {CANNOT}: {len(emulated)} of {len(results)} results come from "
        f"processes that share {shared} of a CPU. What is said of them here says nothing of GPUs."
    ]


def _on(gpus: int, alike: list[MeasuredCase]) -> list[str]:
    here = [result for result in alike if result.case.gpus == gpus]
    others = [result for result in here if result.case.schedule != "naive"]
    if not others:
        return [f"{QUESTION} {gpus} GPUs {CANNOT}: no other schedule than naive was measured."]
    fastest = _fastest_of(others)
    field = [r for r in others if r is fastest or why_not_ranked(fastest, r) is None]
    naive = naive_on(gpus, fastest, here)
    problem = "naive has no measurement here" if naive is None else why_not_ranked(naive, fastest)
    if naive is None or problem is not None:
        beside = [f"What is faster than naive on {_name(fastest)} {CANNOT}: {problem}."]
        return [*beside, *_fastest(field, alike), *_left_out(others, field)]
    return [
        *_beside_naive(naive, field),
        *_fastest([naive, *field], alike),
        *_left_out(others, field),
    ]


def _fastest_of(results: list[MeasuredCase]) -> MeasuredCase:
    """Return the fastest with a confidence interval, if any has one: only it can be compared."""
    return min([r for r in results if are_enough(r.steps_s)] or results, key=_step_s)


def _step_s(result: MeasuredCase) -> float:
    return estimate(result.steps_s)


def _name(result: MeasuredCase) -> str:
    """Return `5 GPUs`, or `5 CPU processes` where GPUs are emulated."""
    word = ("CPU process", "CPU processes") if result.emulated else ("GPU", "GPUs")
    return count_of(result.case.gpus, *word)


def _naive(result: MeasuredCase) -> str:
    if not result.emulated:
        return f"naive on {_name(result)}"
    gpus = result.case.gpus
    return f"naive in one process{f' of {gpus} logical GPUs' if gpus > 1 else ''}"


def _beside_naive(naive: MeasuredCase, field: list[MeasuredCase]) -> list[str]:
    """Count how many are faster than naive, then compare the best case of each schedule."""
    kinds = [verdict(naive, result).kind for result in field]
    counts = {kind: kinds.count(kind) for kind in WORDS if kind in kinds}
    found = [
        f"{count_of(n, *ARE)} {WORDS[kind]}{_named(kind, kinds, field)}"
        for kind, n in counts.items()
    ]
    cases = f"{count_of(len(field), 'other case')} on {_name(field[0])}"
    schedules = dict.fromkeys(result.case.schedule for result in field)
    best = (min((r for r in field if r.case.schedule == s), key=_step_s) for s in schedules)
    sentences = [f"Beside naive: of {cases}, {', '.join(found)}."]
    for result in best:
        sentences.append(" ".join([_one(naive, result), *waiting.more_work(naive, result)]))
    return sentences


def _named(kind: str, kinds: Sequence[str], field: list[MeasuredCase]) -> str:
    """Name those that are not faster, if they are few."""
    names = [schedule_name(r.case) for r, its in zip(field, kinds, strict=True) if its == kind]
    return (
        f" ({'; '.join(names)})"
        if kind != "faster" and len(names) <= NAMED and len(field) > 1
        else ""
    )


WORDS = {
    "faster": "faster",
    "same": "no different",
    "slower": "slower",
    "undecided": "not to be told apart",
}
ARE = ("is", "are")


def _one(naive: MeasuredCase, result: MeasuredCase) -> str:
    words = verdict(naive, result).words(_naive(naive), schedule_name(result.case))
    allowed = None if result.emulated else allowed_speed_up(result.case)
    formula = "" if allowed is None else f"; the formula allows {allowed:.2f} times"
    together = _together(result)
    told = f"{words[0].upper()}{words[1:]}{formula}{together}."
    return told + (instrumentation_warning(result) if together else "")


def _together(result: MeasuredCase) -> str:
    """Describe the collectives of tensor parallelism, and the wait for them."""
    together = result.transfers.collectives
    if not together:
        return ""
    who, size = "process" if result.emulated else "GPU", data_size(total_bytes(together))
    text = f"; every {who} takes part in {counted(together)} a step, of {size} in all"
    waits = [b.communication for b in bubbles(result) if b.communication is not None]
    return f"{text}, and waits for them {percent(fmean(waits))} of a step" if waits else text


def _fastest(field: list[MeasuredCase], alike: list[MeasuredCase]) -> list[str]:
    """Name the fastest, what bounds it and what it costs, and compare it with the next."""
    first, *rest = sorted(field, key=_step_s)
    name = schedule_name(first.case)
    text = f"The {'fastest' if rest else 'only one'} on {_name(first)}{_of(field)} is {name}"
    text += f", with {seconds(_step_s(first))} a step"
    one = naive_on(1, first, alike)
    if one is not None and why_not_ranked(one, first) is None:
        text += f"; {verdict(one, first).words(_naive(one), 'it')}"
    sentences = [f"{text}.", *waiting.answer(first), *_memory(first, field)]
    if rest:
        words = verdict(first, rest[0]).words(name, schedule_name(rest[0].case))
        sentences.append(f"The next: {words}.")
    return [" ".join(sentences)]


def _of(field: list[MeasuredCase]) -> str:
    """Name what is ranked, where the naive schedule cannot be part of it."""
    if any(result.case.schedule == "naive" for result in field):
        return ""
    word = "process" if field[0].emulated else "process and a GPU"
    return f", of the schedules that have a {word} each,"


def _memory(fastest: MeasuredCase, field: list[MeasuredCase]) -> list[str]:
    """Compare the peak memory of the fullest GPU with that of the naive schedule."""
    fullest = fastest.fullest_gpu
    if fullest is None:
        return []
    peak = fullest.peak_allocated_bytes or 0
    text = f"Its GPU with the most memory, GPU {fullest.index}, holds {data_size(peak)} at its peak"
    naive = next((r for r in field if r.case.schedule == "naive" and r is not fastest), None)
    other = None if naive is None else naive.fullest_gpu
    if other is None or not other.peak_allocated_bytes:
        return [f"{text}."]
    times = peak / other.peak_allocated_bytes
    size = data_size(other.peak_allocated_bytes)
    if abs(times - 1) < SAME_MEMORY:
        return [f"{text}, about as much as with the naive schedule ({size})."]
    return [f"{text}, {ratio(times)} times the {size} of the naive schedule."]


def _left_out(others: list[MeasuredCase], field: list[MeasuredCase]) -> list[str]:
    """Name the cases that cannot be compared with the fastest, by reason."""
    fastest = _fastest_of(others)
    reasons: dict[str, list[str]] = {}
    for result in others:
        if result not in field:
            reason = why_not_ranked(fastest, result) or ""
            reasons.setdefault(reason, []).append(schedule_name(result.case))
    return [f"Not compared on {_name(fastest)}: {', '.join(names)}; {reason}."
            for reason, names in reasons.items()]  # fmt: skip
