"""Facts above a table: what differs from most tables of the document, and emulation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.settings import (
    LIMITS,
    MODEL,
    SETTING,
    UNSAID,
    key_words,
    kind_of,
    setting_of,
    setting_words,
)
from report.wording.hardware import shared_device
from report.wording.models import is_of_model
from report.wording.names import begun
from report.wording.units import plural
from study.models import KINDS
from study.text import one_line


@dataclass(frozen=True)
class Shared:
    """Conditions that most tables of a document share, so that its title block says them once.

    Attributes:
        kind: The kind of model of most tables; `setting` is that of tables of this kind.
        setting: Values of the keys that are no axis, each the most frequent one.
        hardware: Hardware and versions where all tables have the same.
        profile: The one profile of all tables.
    """

    kind: str = "linear"
    setting: dict[str, Any] = field(default_factory=dict)
    hardware: str | None = None
    profile: str | None = None

    @property
    def words(self) -> str:
        """The setting in one line; empty for none."""
        return setting_words(self.setting)


def find_shared(grid_tables: Sequence[GridTable]) -> Shared:
    """Return what the title block of these tables says."""
    kinds = Counter(map(kind_of, grid_tables))
    kind = kinds.most_common(1)[0][0] if kinds else "linear"
    settings = [setting_of(table) for table in grid_tables if kind_of(table) == kind]
    common = {}
    first = SETTING if kind == "linear" else tuple(chain(*settings))
    for key in dict.fromkeys(chain(first, LIMITS, *settings)):
        values = Counter(setting[key] for setting in settings if key in setting)
        if values.total() > len(settings) / 2:
            common[key] = values.most_common(1)[0][0]
    common = {key: value for key, value in common.items() if UNSAID.get(key) != value}
    measured = [_hardware(table.results) for table in grid_tables if table.results]
    profiles = {table.profile for table in grid_tables if table.profile is not None}
    return Shared(
        kind,
        common,
        measured[0] if len(set(measured)) == 1 else None,
        profiles.pop() if len(profiles) == 1 else None,
    )


def title_of(grid_table: GridTable, shared: Shared) -> str:
    """Return the title of a table's section, with its cluster where the document has several."""
    if grid_table.profile is None or grid_table.profile == shared.profile:
        return grid_table.grid.title
    return f"{grid_table.grid.title} ({grid_table.profile})"


def other_model(grid_table: GridTable, shared: Shared) -> str:
    """Return the model of a table that has another than most; empty for the same."""
    setting, kind = setting_of(grid_table), kind_of(grid_table)
    wanted = MODEL if kind == "linear" else ("dtype", *filter(is_of_model, setting))
    model = {key: setting[key] for key in wanted if key in setting}
    if kind == shared.kind:
        differing = [key for key in model if model[key] != shared.setting.get(key)]
        if not any(key in shared.setting for key in differing):
            return ""
    words = setting_words(model)
    return f"{KINDS[kind].label}, {words}" if kind == "linear" else words.replace(": ", ", ", 1)


def told_apart(grid_table: GridTable, others: Sequence[GridTable], shared: Shared) -> str:
    """Return the beginning of a table's sentences: what tells it from others; empty without such.

    Args:
        grid_table: The table.
        others: All tables that have sentences.
        shared: What the title block says.
    """
    alike = [other for other in others if other.grid.table == grid_table.grid.table]
    setting, settings = setting_of(grid_table), list(map(setting_of, alike))
    model = other_model(grid_table, shared)
    keys = [
        key
        for key, value in setting.items()
        if any(its.get(key, value) != value for its in settings)
        and not (is_of_model(key) and (model or shared.setting.get(key) == value))
    ]
    own = setting_words({key: setting[key] for key in keys})
    profiles = {other.profile for other in others}
    where = f"cluster {grid_table.profile}" if len(profiles) > 1 else ""
    parts = [part for part in (model, own, where) if part]
    return f"{begun(', '.join(parts))}: " if parts else ""


def make_facts(grid_table: GridTable, shared: Shared | None = None) -> list[str]:
    """Return the facts of every kind of table, a line each.

    Args:
        grid_table: The table.
        shared: What the title block says already.
    """
    shared, results = shared or Shared(), grid_table.results
    facts = [_conditions(grid_table, shared), _changes(grid_table), *_factories(grid_table)]
    if results and _hardware(results) != shared.hardware:
        facts.append(_hardware(results))
    if any(result.emulated for result in results):
        facts.append(emulation(results))
    return [fact for fact in facts if fact]


def _conditions(grid_table: GridTable, shared: Shared) -> str:
    """Return the setting, without what is shared."""
    same, setting = kind_of(grid_table) == shared.kind, setting_of(grid_table)
    own = {
        key: value
        for key, value in setting.items()
        if shared.setting.get(key, UNSAID.get(key)) != value or (is_of_model(key) and not same)
    }
    if own:
        own |= {"kind": setting["kind"]} if "kind" in setting and any(map(is_of_model, own)) else {}
        return f"Setting: {setting_words(own)}."
    return ""


def _changes(grid_table: GridTable) -> str:
    """Return what was changed of what is measured, not of how long."""
    changes = [key_words(key, v) for key, v in grid_table.changed.items() if key not in LIMITS]
    return f"Changed from the usual setting of this table: {', '.join(changes)}." if changes else ""


def _factories(grid_table: GridTable) -> list[str]:
    """Return the files of models of one's own, by hashes: their code is not ours to show."""
    files: dict[str, dict[str, None]] = {}
    for case in (row.case for row in grid_table.rows if row.case.kind == "factory"):
        files.setdefault(case.value("factory"), {})[case.value("sha256")] = None
    parts = ((one_line(factory).rpartition(":"), hashes) for factory, hashes in files.items())
    return [
        f"Model: {function} of {path}, a file whose sha256 is {' or '.join(hashes)}."
        for (path, _, function), hashes in parts
    ]


def _hardware(results: list[MeasuredCase]) -> str:
    names = sorted({result.hardware for result in results})
    versions = sorted({f"torch {r.environment.torch}" for r in results if r.environment.torch})
    software = f" {'; '.join(versions)}." if versions else ""
    return f"Hardware: {'; '.join(names)}.{software}"


def emulation(results: list[MeasuredCase]) -> str:
    """Return the warning that some of these results, one at least, do not come from real GPUs."""
    emulated = [result for result in results if result.emulated and result.program is None]
    without = [result for result in results if result.emulated and result.program is not None]
    if not emulated:
        return (
            f"EMULATED: {len(without)} of {len(results)} results "
            f"{plural(len(without), 'comes', 'come')} from programs without GPUs, on the CPU: "
            "their times are not those of GPUs."
        )
    logical = [result for result in emulated if not result.case.in_processes]
    sources = []
    if logical:
        device = " or ".join(sorted({shared_device(result.environment) for result in logical}))
        sources.append(f"logical GPUs that share {device}")
    if len(logical) < len(emulated):
        sources.append("processes on the CPU, one in place of each GPU")
    come = plural(len(emulated), "comes", "come")
    return (
        f"EMULATED: {len(emulated)} of {len(results)} results {come} from {' or '.join(sources)}. "
        "Layers, calls and moves are real; step times are not those of several GPUs, and memory "
        "per GPU does not exist."
    )
