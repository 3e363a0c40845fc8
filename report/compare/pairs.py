"""Pairs of the same configuration in two sets of results, with a verdict or a reason."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from report.analysis.comparison import cautions, is_disturbed, verdict, why_incomparable
from report.data.commits import why_code_differs
from report.data.conditions import combine
from report.data.load import ProfileResults
from report.data.measured import MeasuredCase, measured
from report.data.selection import select_tables
from report.wording.names import value_text
from study.case import Case
from study.grids.grid import Grid
from study.statistics.comparison import Comparison

PLACES = ("before", "after")
Cases = dict[Case, MeasuredCase | None]


@dataclass(frozen=True)
class ResultSet:
    """The configurations of one results folder, by profile; None for one without a measurement.

    `unmeasured` counts jobs, by profile and configuration, that have no measurement or were
    measured under other conditions than most.
    """

    name: str
    found: dict[str, Cases] = field(default_factory=dict)
    unmeasured: Counter[tuple[str, Case]] = field(default_factory=Counter)


@dataclass(frozen=True)
class CasePair:
    """A configuration in both sets; without a verdict there is a reason.

    `cautions` say why a verdict is less than certain; `is_disturbed` that the size of the
    difference is not to be trusted.
    """

    profile: str
    case: Case
    before: MeasuredCase | None
    after: MeasuredCase | None
    verdict: Comparison | None
    reason: str = ""
    unmeasured: int = 0
    cautions: tuple[str, ...] = ()
    is_disturbed: bool = False

    @property
    def emulated(self) -> bool:
        """True if either set emulated its GPUs."""
        return any(result is not None and result.emulated for result in (self.before, self.after))

    @property
    def is_missing(self) -> bool:
        """True if a set lacks a measurement of it, or of one of its jobs."""
        return self.before is None or self.after is None or self.unmeasured > 0


def result_set(name: str, profiles: list[ProfileResults], grids: list[Grid]) -> ResultSet:
    """Return what was submitted or measured of these grids.

    Args:
        name: What to call the set.
        profiles: All that was loaded.
        grids: The grids to take; all cases if empty.
    """
    found: dict[str, Cases] = {}
    unmeasured: Counter[tuple[str, Case]] = Counter()
    for profile in profiles:
        tables = [table for grid in grids for table in select_tables(grid, [profile], grids)]
        shown = {row.case.configuration for table in tables for row in table.rows}
        for configuration, cases in profile.repeats.items():
            if grids and configuration not in shown:
                continue
            combined = combine(
                measured(profile.results[c], profile.shared_hosts.get(c, ()))
                for c in cases
                if c in profile.results
            )
            found.setdefault(profile.profile, {})[configuration] = combined
            used = 0 if combined is None else len(combined.jobs)
            unmeasured[profile.profile, configuration] = len(cases) - used
    return ResultSet(name, found, unmeasured)


def compare_sets(before: ResultSet, after: ResultSet) -> list[CasePair]:
    """Compare every configuration of either set; names of single profiles may differ."""
    found = []
    for names, old, new in _profiles(before, after):
        for case in dict.fromkeys([*new, *old]):
            pair = _pair_up(" → ".join(dict.fromkeys(names)), case, old, new)
            unmeasured = before.unmeasured[names[0], case] + after.unmeasured[names[1], case]
            found.append(replace(pair, unmeasured=unmeasured))
    return found


def _profiles(
    before: ResultSet, after: ResultSet
) -> Iterator[tuple[tuple[str, str], Cases, Cases]]:
    """Yield the names of a profile in both sets, and its cases there."""
    if len(before.found) == len(after.found) == 1:
        ((old_name, old),) = before.found.items()
        ((new_name, new),) = after.found.items()
        yield (old_name, new_name), old, new
        return
    for name in dict.fromkeys([*after.found, *before.found]):
        yield (name, name), before.found.get(name, {}), after.found.get(name, {})


def _pair_up(profile: str, case: Case, before: Cases, after: Cases) -> CasePair:
    old, new = before.get(case), after.get(case)
    if old is None or new is None:
        return CasePair(profile, case, old, new, None, _why_missing(case, before, after))
    problem = why_incomparable(old, new, any_software=True, places=PLACES)
    if problem is not None:
        return CasePair(profile, case, old, new, None, f"not compared: {problem}")
    code = why_code_differs(old, new)  # the facts above the table name both commits once
    texts = tuple(text for text in cautions(old, new, PLACES) if text != code)
    pair = CasePair(profile, case, old, new, verdict(old, new), cautions=texts)
    return replace(pair, is_disturbed=is_disturbed(old, new))


def _why_missing(case: Case, before: Cases, after: Cases) -> str:
    """Name the set that lacks the case, and how the nearest configuration there differs."""
    old, new = before.get(case), after.get(case)
    if old is None and new is None:
        return "measured in neither"
    where, cases, its = ("before", before, after) if old is None else ("after", after, before)
    if case in cases:
        return f"not measured {where}"
    others = [_differing(case, other) for other in cases if other not in its]
    nearest = min(others, key=len, default=[])
    if not nearest:
        return f"missing {where}"
    return f"missing {where}; the nearest case there differs in {', '.join(nearest)}"


def _differing(case: Case, other: Case) -> list[str]:
    mine, theirs = ({"kind": c.kind} | c.flat() for c in (case, other))
    keys = [key for key in dict.fromkeys([*mine, *theirs]) if mine.get(key) != theirs.get(key)]
    return [f"{key} ({_value(key, theirs)}, not {_value(key, mine)})" for key in keys]


def _value(key: str, values: dict[str, Any]) -> str:
    if key not in values:
        return "none"
    return str(values[key]) if key in ("schedule", "kind") else value_text(key, values[key])
