"""A row of a table: one configuration, with the jobs that repeat it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from textwrap import shorten

from predict.forecast.pairs import Pair
from report.data.conditions import combine
from report.data.load import NOT_SUBMITTED, ProfileResults
from report.data.measured import MeasuredCase, measured
from study.case import Case
from study.outcome import Outcome
from study.results.result import Result

MAX_REASON = 300  # characters of an error message in a table


@dataclass(frozen=True)
class Row:
    """One case of a table, and in `repeats` the same configuration in other jobs.

    Without a measurement, `reason` says why. `pair` is its prediction beside the measurement;
    without one, `unpredicted` says why if one was tried.
    """

    case: Case
    result: Result | None
    reason: str | None
    outcome: Outcome | None = None
    repeats: Sequence["Row"] = ()
    shared_hosts: tuple[str, ...] = ()
    pair: Pair | None = None
    unpredicted: str = ""

    @property
    def jobs(self) -> list["Row"]:
        """This row and its repeats."""
        return [self, *self.repeats]

    @cached_property
    def measured(self) -> MeasuredCase | None:
        """The combined measurement of all jobs that have one."""
        jobs = [(row.result, row.shared_hosts) for row in self.jobs if row.result is not None]
        return combine(measured(*job) for job in jobs)

    @property
    def is_started(self) -> bool:
        """True if the case was submitted or has a result."""
        return self.reason != NOT_SUBMITTED

    @property
    def missing(self) -> list["Row"]:
        """The jobs without a measurement."""
        return [row for row in self.jobs if row.result is None or row.result.error is not None]


def row_with_repeats(case: Case, profile: ProfileResults) -> Row:
    """Return the row of a configuration, with the jobs that repeat it."""
    started = profile.repeats[case.configuration]
    first, *others = [_row(c, profile) for c in started] or [_row(case, profile)]
    return replace(first, repeats=others) if others else first


def _row(case: Case, profile: ProfileResults) -> Row:
    result = profile.results.get(case)
    if result is None:
        return Row(case, None, profile.reason(case), profile.outcome(case))
    if result.error is not None:
        message = shorten(result.error.message or result.error.type, MAX_REASON, placeholder=" …")
        return Row(case, result, f"failed: {result.outcome}: {message}", result.outcome)
    shared = profile.shared_hosts.get(case, ())
    return Row(
        case,
        result,
        None,
        result.outcome,
        shared_hosts=shared,
        pair=profile.pairs.get(case),
        unpredicted=profile.why_unpredicted(case),
    )
