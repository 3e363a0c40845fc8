"""All cases of a table that were tried, by number of GPUs, those that failed included."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from report.analysis.speedup import MAY_DIFFER
from report.answers.phrases import case_label, listed
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.data.rows import Row
from report.data.selection import GridTable
from report.wording.names import schedule_name
from report.wording.units import plural
from study.case import Case
from study.outcome import Outcome

NAMED = 3  # schedules that a sentence names; of more, their number


@dataclass(frozen=True)
class Tried:
    """One case of the table, measured or not."""

    case: Case
    emulated: bool
    outcome: Outcome | None
    measured: MeasuredCase | None


@dataclass(frozen=True)
class Counts:
    """The cases of one setting, on real GPUs, by what became of them.

    Attributes:
        label: Begins the sentences about the setting; empty where there is only one.
        fits: Numbers of GPUs on which a case was measured, in order.
        full: Those on which none was, and one at least ran out of GPU memory.
        open: Those of the table on which none was measured, for other reasons.
        tried: All cases.
    """

    label: str
    fits: list[int]
    full: list[int]
    open: list[int]
    tried: list[Tried]

    @property
    def results(self) -> list[MeasuredCase]:
        """The measured cases."""
        return [one.measured for one in self.tried if one.measured is not None]

    def full_on(self, gpus: int) -> list[Case]:
        """Return the cases on so many GPUs that ran out of GPU memory."""
        return [
            one.case for one in self.tried if one.case.gpus == gpus and one.outcome == "oom_gpu"
        ]

    def has_other_end(self, gpus: int) -> bool:
        """Return True if a case on so many GPUs was tried and failed for another reason."""
        here = [one.outcome for one in self.tried if one.case.gpus == gpus]
        return any(outcome not in (None, "ok", "oom_gpu") for outcome in here)


def counts_of(grid_table: GridTable, may_differ: Sequence[str] = MAY_DIFFER) -> list[Counts]:
    """Return the counts of each setting that a real GPU measured or ran out of memory in.

    Args:
        grid_table: The table.
        may_differ: The keys in which cases of one setting differ.
    """
    tried = [_tried(row) for row in grid_table.rows]
    keys = differing(tried, *may_differ)
    groups: dict[str, list[Tried]] = {}
    for one in tried:
        if not one.emulated:
            groups.setdefault(case_label(one.case, keys), []).append(one)
    found = [_counts(label, group) for label, group in groups.items()]
    return [counts for counts in found if counts.fits or counts.full]


def _tried(row: Row) -> Tried:
    results = [job.result for job in row.jobs if job.result is not None]
    outcomes = [job.outcome for job in row.jobs if job.outcome is not None]
    is_full = "oom_gpu" in outcomes
    measured = row.measured
    outcome: Outcome | None = outcomes[0] if outcomes else None
    return Tried(
        row.case,
        any(result.emulated for result in results),
        "ok" if measured is not None else "oom_gpu" if is_full else outcome,
        measured,
    )


def _counts(label: str, tried: list[Tried]) -> Counts:
    numbers = sorted({one.case.gpus for one in tried})
    fits = sorted({one.case.gpus for one in tried if one.measured is not None})
    full = {one.case.gpus for one in tried if one.outcome == "oom_gpu"} - {*fits}
    others = [n for n in numbers if n not in fits and n not in full]
    return Counts(label, fits, sorted(full), others, tried)


def gpus_words(numbers: Sequence[int]) -> str:
    """Return `1 GPU`, or `1, 2 and 4 GPUs`."""
    return f"{listed(numbers)} {plural(numbers[-1] if len(numbers) == 1 else 2, 'GPU')}"


def schedules_words(cases: Iterable[Case]) -> str:
    """Return the names of the cases' schedules, or how many cases they are."""
    names = list(dict.fromkeys(map(schedule_name, cases)))
    return listed(names) if len(names) <= NAMED else f"{len(names)} schedules"
