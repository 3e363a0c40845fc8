"""One sentence over all schedules and numbers of GPUs: the fastest, the cheapest, the smallest."""

from collections.abc import Callable, Sequence

from report.analysis.comparison import CANNOT
from report.analysis.metrics import Baselines, metrics
from report.analysis.verdicts.disturbances import cut_short_words, is_cut_short
from report.answers.best.conditions import of_data_parallelism, on_one_gpu
from report.answers.best.picks import (
    WAYS,
    Pick,
    cheapest,
    cost_s,
    fastest,
    least_memory,
    peak_bytes,
)
from report.answers.of_model.tried import Counts, counts_of
from report.answers.phrases import MOST_GROUPS, case_words, listed, more_settings
from report.answers.pipelines.ranking import names_of, step_s
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.document import Answer
from report.wording.cautions import inner_mark
from report.wording.hardware import shared_device
from report.wording.layers import short_name
from report.wording.names import begun
from report.wording.quantities import GPU_TIMES, PLAIN, range_words
from report.wording.units import BYTES, TIMES, Unit, count_of, plural

QUESTION = "What is best, over all schedules and numbers of GPUs?"
ALONE = {"the fastest": "the shortest step", "the cheapest": "the lowest cost"}
EQUALLY = {"the fastest": "equally fast", "the cheapest": "equally cheap"}
NAMED = 4  # cases; of more that tie, only the number is given


def opening(grid_table: GridTable) -> list[Answer]:
    """Return the sentence on each setting; emulated GPUs have no part in it."""
    groups = counts_of(grid_table, WAYS)
    compared = [counts for counts in groups[:MOST_GROUPS] if len(counts.results) > 1]
    told = list(map(_sentence, compared))
    emulated = [result for result in grid_table.results if result.emulated]
    if not told:
        is_all = 1 < len(emulated) == len(grid_table.results)
        return [Answer(QUESTION, [_refused(emulated)])] if is_all else []
    cases = (
        f"{count_of(len(emulated), 'case')} on emulated GPUs {plural(len(emulated), 'is', 'are')}"
    )
    remark = [f"{cases} left out: their times say nothing of GPUs."] if emulated else []
    told += _on_data_parallelism(compared)
    return [Answer(QUESTION, [*told, *remark, *more_settings(len(groups))])]


def _refused(emulated: Sequence[MeasuredCase]) -> str:
    shared = listed(dict.fromkeys(shared_device(result.environment) for result in emulated))
    return f"Which case is best of all {CANNOT}: all GPUs were emulated by {shared}."


def _sentence(counts: Counts) -> str:
    """Return the picks after what is known of one GPU."""
    results = counts.results
    extra = [key for key in differing(results) if key in ("recompute", "execution")]
    clauses = [*_speed_and_cost(results, extra), *_memory(results, extra)]
    known, picks = on_one_gpu(counts), f"{_joined(clauses)}."
    text = f"{known}{begun(picks) if known.endswith('. ') else picks}"
    return f"{counts.label}{text}" if counts.label else begun(text)


def _on_data_parallelism(compared: Sequence[Counts]) -> list[str]:
    """Return what data parallelism needs; without labels where it is the same for all settings."""
    found = [(counts.label, " ".join(of_data_parallelism(counts))) for counts in compared]
    texts = list(dict.fromkeys(text for _, text in found))
    return texts if len(texts) == 1 else [f"{label}{text}" for label, text in found]


def _joined(clauses: list[str]) -> str:
    """Return `a, and b`: clauses that have commas of their own."""
    *others, last = clauses
    return ", ".join([*others, f"and {last}" if others else last])


def _speed_and_cost(results: Sequence[MeasuredCase], extra: Sequence[str]) -> list[str]:
    """Return the fastest and the cheapest, in one clause where they are the same cases."""
    fast, cheap = fastest(results), cheapest(results)
    time = None if fast is None else _range(fast, step_s, TIMES)
    cost = None if cheap is None else f"{_range(cheap, cost_s, GPU_TIMES)} a step{_hours(cheap)}"
    if fast is None and cheap is None:
        return [f"no case is known to be the fastest or the cheapest{_why_none(results)}"]
    if fast is not None and cheap is not None and fast.cases == cheap.cases:
        return [_clause(fast, "the fastest and the cheapest", f"{time} and {cost}", extra)]
    is_said = fast is not None and cheap is not None and fast.field == cheap.field
    return [
        _clause(fast, "the fastest", f"{time} a step", extra),
        _clause(cheap, "the cheapest", f"{cost}", extra, field_is_said=is_said),
    ]


def _why_none(results: Sequence[MeasuredCase]) -> str:
    """Return what keeps all cases from being compared, where that is one reason."""
    short = [result for result in results if is_cut_short(result)]
    return f" ({cut_short_words(short)})" if len(short) == len(results) else ""


def _hours(pick: Pick) -> str:
    """Return the cost in what the table of a model has; empty for the linear stack."""
    hours = [metrics(result, Baselines([])).gpu_hours_per_1e9 for result in pick.cases]
    known = [value for value in hours if value is not None]
    if not known:
        return ""
    model = pick.cases[0].model
    item = "item" if model is None else short_name(model.item)
    return f", {range_words(min(known), max(known), PLAIN)} GPU-hours per 10⁹ {item}s"


def _memory(results: Sequence[MeasuredCase], extra: Sequence[str]) -> list[str]:
    pick = least_memory(results)
    if pick is None:
        return []
    several = len(pick.cases) > 1
    needs = f"{'need' if several else 'needs'} the least memory on {'their' if several else 'its'}"
    known = f" of {_whose_memory_is_known(pick, results)}" if pick.left_out else ""
    size = _range(pick, peak_bytes, BYTES)
    return [f"{_named(pick.cases, extra)} {needs} fullest GPU{known} ({size})"]


def _whose_memory_is_known(pick: Pick, results: Sequence[MeasuredCase]) -> str:
    """Return `the 2 eager cases`, where all others are CUDA graphs, whose pools no peak has."""
    eager = [result for result in results if result.case.execution == "eager"]
    if len(eager) == pick.field:
        return f"the {pick.field} eager cases"
    return f"the {pick.field} cases whose memory is known"


def _clause(
    pick: Pick | None, best: str, value: str, extra: Sequence[str], *, field_is_said: bool = False
) -> str:
    """Return `DDP on 4 GPUs is the fastest (27 ms a step)`, or all that are not told apart."""
    if pick is None:
        return f"no case is known to be {best}"
    if pick.field == 1:
        has = ALONE.get(best, "the shortest step and the lowest cost")
        return f"{_named(pick.cases, extra)} has {has} ({value}) and can be compared with no other"
    several = len(pick.cases) > 1
    is_part = pick.left_out and not field_is_said
    among = f" of the {pick.field} cases that can be compared" if is_part else ""
    tie = EQUALLY.get(best, "equally good") if pick.are_equal else "cannot be told apart"
    tied = f"{',' if among else ''} and {tie}" if several else ""
    since = f"; {inner_mark(pick.cautions)}" if pick.cautions else ""
    verb = "are" if several else "is"
    return f"{_named(pick.cases, extra)} {verb} {best}{among}{tied} ({value}{since})"


def _named(cases: Sequence[MeasuredCase], extra: Sequence[str]) -> str:
    """Return the names of a few cases by their numbers of GPUs, or how many they are."""
    if len(cases) > NAMED:
        return count_of(len(cases), "case")
    groups: dict[tuple[int, str], list[MeasuredCase]] = {}
    for result in cases:
        more = case_words(result.case, extra)
        groups.setdefault((result.case.gpus, f" ({more})" if more else ""), []).append(result)
    return listed(f"{_on(gpus, group)}{more}" for (gpus, more), group in groups.items())


def _on(gpus: int, cases: Sequence[MeasuredCase]) -> str:
    """Return `DDP and FSDP on 2 GPUs`; of naive on one GPU, `one GPU`."""
    if gpus == 1 and [result.case.schedule for result in cases] == ["naive"]:
        return "one GPU"
    return f"{names_of(cases)} on {count_of(gpus, 'GPU')}"


def _range(pick: Pick, measure: Callable[[MeasuredCase], float], units: tuple[Unit, ...]) -> str:
    """Return the measure of the first and the last, once where they are shown alike."""
    values = [measure(result) for result in pick.cases]
    return range_words(min(values), max(values), units)
