"""Two sets of results side by side: what became of each case, and whether that is a difference."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from report.answers.comparing import incomparable, verdict
from report.document import Section, make_rows
from report.load import Evidence
from report.measured import Measured, combine, measured
from report.step_time import step_time
from report.units import UNKNOWN, plural, seconds_with_interval
from study.case import Case
from study.comparison import Comparison
from study.grid import Grid

KINDS = {"faster": "faster", "slower": "slower", "same": "same", "undecided": "cannot tell"}


@dataclass(frozen=True)
class ResultSet:
    """The configurations of one results folder, by profile; None for one without a measurement.

    `unmeasured` counts the jobs of a configuration, by profile, that left none.
    """

    name: str
    found: dict[str, dict[Case, Measured | None]] = field(default_factory=dict)
    unmeasured: Counter[tuple[str, Case]] = field(default_factory=Counter)


@dataclass(frozen=True)
class Counterparts:
    """A configuration in both sets. Without a verdict there is a reason."""

    profile: str
    case: Case
    before: Measured | None
    after: Measured | None
    verdict: Comparison | None
    reason: str = ""
    unmeasured: int = 0

    @property
    def is_missing(self) -> bool:
        """Whether a set lacks a measurement of it, of one of its jobs at least."""
        return self.before is None or self.after is None or self.unmeasured > 0


def result_set(name: str, evidence: list[Evidence], grids: list[Grid]) -> ResultSet:
    """What was submitted or measured of these grids; of everything, where none is named."""
    found: dict[str, dict[Case, Measured | None]] = {}
    unmeasured: Counter[tuple[str, Case]] = Counter()
    for profile in evidence:
        for configuration, cases in profile.repeats.items():
            if grids and not any(grid.contains(configuration) for grid in grids):
                continue
            results = [profile.results[case] for case in cases if case in profile.results]
            jobs = [job for job in map(measured, results) if job is not None]
            found.setdefault(profile.profile, {})[configuration] = combine(jobs)
            unmeasured[profile.profile, configuration] = len(cases) - len(jobs)
    return ResultSet(name, found, unmeasured)


def compare_sets(before: ResultSet, after: ResultSet) -> list[Counterparts]:
    """Every configuration of either set; where each has one profile, their names may differ."""
    return [
        replace(
            _counterparts(" → ".join(dict.fromkeys(names)), case, old, new),
            unmeasured=sum(
                results.unmeasured[name, case]
                for results, name in zip((before, after), names, strict=True)
            ),
        )
        for names, old, new in _profiles(before, after)
        for case in dict.fromkeys([*new, *old])
    ]


Cases = dict[Case, Measured | None]


def _profiles(
    before: ResultSet, after: ResultSet
) -> Iterator[tuple[tuple[str, str], Cases, Cases]]:
    """The names of a profile in both sets, and its cases there."""
    if len(before.found) == len(after.found) == 1:
        ((old_name, old),) = before.found.items()
        ((new_name, new),) = after.found.items()
        yield (old_name, new_name), old, new
        return
    for name in dict.fromkeys([*after.found, *before.found]):
        yield (name, name), before.found.get(name, {}), after.found.get(name, {})


def _counterparts(profile: str, case: Case, before: Cases, after: Cases) -> Counterparts:
    old, new = before.get(case), after.get(case)
    if old is None or new is None:
        reason = _why_missing(case, old, new, before, after)
        return Counterparts(profile, case, old, new, None, reason)
    problem = incomparable(old, new, any_software=True)
    if problem is not None:
        return Counterparts(profile, case, old, new, None, f"not compared: {problem}")
    return Counterparts(profile, case, old, new, verdict(old, new))


def _why_missing(
    case: Case, old: Measured | None, new: Measured | None, before: Cases, after: Cases
) -> str:
    """Which set lacks it, and which key the nearest configuration there has otherwise."""
    if old is None and new is None:
        return "measured in neither"
    where, cases = ("before", before) if old is None else ("after", after)
    if case in cases:
        return f"not measured {where}"
    others = [_differing(case, other) for other in cases if other not in (before if old else after)]
    nearest = min(others, key=len, default=[])
    if not nearest:
        return f"missing {where}"
    return f"missing {where}; the nearest case there differs in {', '.join(nearest)}"


def _differing(case: Case, other: Case) -> list[str]:
    mine, theirs = case.as_dict(), other.as_dict()
    return [f"{key} ({theirs[key]}, not {mine[key]})" for key in mine if mine[key] != theirs[key]]


def make_comparison(before: ResultSet, after: ResultSet, rows: list[Counterparts]) -> Section:
    """The two sets as a section; before is what after is held against."""
    compared = [row.verdict.kind for row in rows if row.verdict is not None]
    counts = ", ".join(
        f"{compared.count(kind)} {KINDS[kind]}" for kind in KINDS if kind in compared
    )
    left_out = len(rows) - len(compared)
    answer = f"{len(compared)} {plural(len(compared), 'case')} compared: {counts or 'none'}."
    if left_out:
        answer += f" {left_out} {plural(left_out, 'case')} not compared; each says why."
    varying = _varying_keys(rows)
    return Section(
        title=f"{after.name} beside {before.name}",
        facts=[f"Before: {before.name}. After: {after.name}. {_torch(rows)}"],
        table=make_rows("", [_cells(row, varying) for row in rows]),
        answers=[answer],
    )


def _torch(rows: list[Counterparts]) -> str:
    olds = {row.before.environment.torch for row in rows if row.before is not None}
    news = {row.after.environment.torch for row in rows if row.after is not None}
    texts = [" and ".join(sorted(versions)) or UNKNOWN for versions in (olds, news)]
    return f"torch {texts[0]} before, {texts[1]} after."


def _varying_keys(rows: list[Counterparts]) -> list[str]:
    keys = [key for key in rows[0].case.as_dict() if key not in ("depth", "gpus")] if rows else []
    return [key for key in keys if len({getattr(row.case, key) for row in rows}) > 1]


def _cells(row: Counterparts, varying: list[str]) -> dict[str, str]:
    emulated = any(result is not None and result.emulated for result in (row.before, row.after))
    cells = {"profile": row.profile, "depth": str(row.case.depth)}
    cells["GPUs"] = f"{row.case.gpus} (emulated)" if emulated else str(row.case.gpus)
    cells |= {key: str(getattr(row.case, key)) for key in varying}
    cells |= {"before": _step_time(row.before), "after": _step_time(row.after)}
    if row.verdict is None:
        return cells | {"verdict": row.reason}
    found = row.verdict
    lost = f"{row.unmeasured} {plural(row.unmeasured, 'job')}"
    return cells | {
        "after / before (95 % CI)": f"{found.ratio:.3f} ({found.low:.3f} – {found.high:.3f})",
        "verdict": KINDS[found.kind] + (f"; {lost} not measured" if row.unmeasured else ""),
    }


def _step_time(result: Measured | None) -> str:
    if result is None:
        return UNKNOWN
    found = step_time(result)
    return seconds_with_interval(found.estimate_s, found.interval)


def regressions(rows: list[Counterparts], tolerance: float) -> list[Counterparts]:
    """The cases that are slower by a verdict, and by this share of the step time at least."""
    slower = (row for row in rows if row.verdict is not None and row.verdict.kind == "slower")
    return [row for row in slower if row.verdict is not None and row.verdict.ratio - 1 >= tolerance]
