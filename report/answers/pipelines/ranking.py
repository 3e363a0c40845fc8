"""Schedules on one number of GPUs, ranked by step time."""

from collections.abc import Sequence
from dataclasses import dataclass

from report.analysis.comparison import verdict
from report.answers.phrases import listed
from report.data.measured import MeasuredCase
from report.wording.names import schedule_in_text, settings_of_each
from report.wording.units import count_of
from study.schedules import SCHEDULES
from study.statistics.samples import are_enough, estimate

NAMED = 6  # cases; of more, only the number is given


@dataclass(frozen=True)
class Ranking:
    """The cases of one GPU count.

    Attributes:
        field: Those that may be ranked, without naive.
        others: All that are not naive, whether they may be ranked or not.
        naive: The naive case on as many GPUs; None without one.
        one: The naive case on 1 GPU, if it may be compared.
        problem: The reason why naive must not be compared; None if it may be.
    """

    field: list[MeasuredCase]
    others: list[MeasuredCase]
    naive: MeasuredCase | None
    one: MeasuredCase | None
    problem: str | None

    @property
    def ranked(self) -> list[MeasuredCase]:
        """The field, and naive if it may be compared, the fastest first."""
        naive = [self.naive] if self.naive is not None and self.problem is None else []
        return sorted([*naive, *self.field], key=step_s)

    @property
    def has_left_out(self) -> bool:
        """True if a case on as many GPUs must not be ranked with these."""
        return len(self.field) < len(self.others) or self.has_naive_left_out

    @property
    def has_naive_left_out(self) -> bool:
        """True if naive is measured on as many GPUs and must not be ranked with these.

        Emulated and real GPUs are never the same ones.
        """
        is_here = self.naive is not None and self.naive.emulated is self.others[0].emulated
        return is_here and self.problem is not None


def leaders(ranked: list[MeasuredCase]) -> list[MeasuredCase]:
    """Return the first of the ranked, and all that cannot be told from it."""
    best, *rest = ranked
    return [best, *(r for r in rest if verdict(best, r).kind in ("same", "undecided"))]


def quickest(results: list[MeasuredCase]) -> MeasuredCase:
    """Return the fastest with a confidence interval, if any has one: only it can be compared."""
    return min([r for r in results if are_enough(r.steps_s)] or results, key=step_s)


def step_s(result: MeasuredCase) -> float:
    """Return the median step in seconds."""
    return estimate(result.steps_s)


def name_of(result: MeasuredCase) -> str:
    """Return `5 GPUs`, or `5 CPU processes` where GPUs are emulated."""
    word = ("CPU process", "CPU processes") if result.emulated else ("GPU", "GPUs")
    return count_of(result.case.gpus, *word)


def naive_name(result: MeasuredCase) -> str:
    """Return `naive`, or `naive in one process` where GPUs are emulated."""
    if not result.emulated:
        return "naive"
    gpus = result.case.gpus
    return f"naive in one process{f' of {gpus} logical GPUs' if gpus > 1 else ''}"


def names_of(results: Sequence[MeasuredCase]) -> str:
    """Return `ZB1P and ZBV (10 micro-batches each)`, or how many they are."""
    if len(results) > NAMED:
        return count_of(len(results), "case")
    each = {settings_of_each(result.case) for result in results}
    are_pipelines = all(SCHEDULES[result.case.schedule].is_pipeline for result in results)
    if len(results) > 1 and len(each) == 1 and are_pipelines:
        labels = [SCHEDULES[result.case.schedule].label for result in results]
        return f"{listed(labels)} ({each.pop()})"
    return listed(schedule_in_text(result.case) for result in results)
