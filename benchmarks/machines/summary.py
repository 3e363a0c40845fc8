"""What ran, what failed, and how long it took, as a short text."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.machines.plan import Planned
from benchmarks.machines.seconds import seconds_of
from study.case import Case
from study.results.file import read_result
from study.results.result import Result
from study.storage.ledger import attempts_of_each_case, read
from study.storage.store import Store

MOST_WORDS = 200  # characters of a reason


def results_of(folder: Path) -> dict[str, dict[Case, Result]]:
    """Return the results of each profile, by their case."""
    found: dict[str, dict[Case, Result]] = {}
    for file in sorted((folder / "results").glob("*/*.json")):
        result = read_result(file)
        found.setdefault(file.parent.name, {})[result.case] = result
    return found


def summary(part: list[Planned], folder: Path, notes: Iterable[str], took_s: float) -> list[str]:
    """Return the lines: a table of the batches, then every case that was not measured.

    Args:
        part: what was to run.
        folder: of the results.
        notes: what went wrong on the way.
        took_s: seconds of the whole command.
    """
    results = results_of(folder)
    lines = [
        "| batch | ok of cases | GPUs | seconds of a job: estimated, median |",
        "|---|---|---|---|",
    ]
    failed: list[str] = []
    for planned in part:
        profile = planned.batch.profile
        found = results.get(profile, {})
        mine = {case: found[case] for case in planned.cases if case in found}
        lines.append(_row(planned, mine))
        failed += _failures(planned, mine, _ends(folder, profile))
    lines += ["", f"The command took {took_s:.0f} s.", *failed]
    return [*lines, *(f"note: {note}" for note in notes)]


def _ends(folder: Path, profile: str) -> dict[str, str]:
    """Return how the last job of each case ended, by case id."""
    events, _ = read(Store(folder / "results", profile).submissions)
    last = {case_id: tries[-1].ended for case_id, tries in attempts_of_each_case(events).items()}
    return {
        case_id: f"{ended.outcome}: {ended.reason}" if ended else "submitted, its end is unknown"
        for case_id, ended in last.items()
    }


def is_complete(part: list[Planned], folder: Path) -> bool:
    """Return whether every case of the part was measured."""
    results = results_of(folder)
    return all(
        (result := results.get(planned.batch.profile, {}).get(case)) and result.error is None
        for planned in part
        for case in planned.cases
    )


def _row(planned: Planned, found: dict[Case, Result]) -> str:
    words = " ".join((planned.batch.grid, *planned.batch.sets))
    measured = [result for result in found.values() if result.error is None]
    took = [sum(phase.seconds for phase in result.phases or ()) for result in measured]
    estimated = median(map(seconds_of, planned.cases))
    gpus = ", ".join(map(str, sorted({case.gpus for case in planned.cases})))
    emulated = " (emulated)" if planned.batch.emulated else ""
    seconds = f"{median(took):.1f}" if took else "–"
    count = f"{len(measured)} of {len(planned.cases)}"
    return f"| {words} | {count} | {gpus}{emulated} | {estimated:.0f}, {seconds} |"


def _failures(planned: Planned, found: dict[Case, Result], ends: dict[str, str]) -> Iterator[str]:
    """Yield a line for each case that a job did not measure; what had no job is in the table.

    Args:
        planned: the batch.
        found: its results.
        ends: how the last job of each case ended, by case id.
    """
    for case in planned.cases:
        result = found.get(case)
        if result is not None and result.error is not None:
            message = " ".join((result.error.message or result.error.type).split())
            yield f"{result.outcome}: {planned.batch.grid}: {_words(case)}: {message[:MOST_WORDS]}"
        elif result is None and case.case_id in ends:
            yield f"{ends[case.case_id][:MOST_WORDS]}: {planned.batch.grid}: {_words(case)}"


def _words(case: Case) -> str:
    keys = ("schedule", "micro_batches", "gradients", "execution", "balance", "batch_size")
    more = ", ".join(f"{key} {case.value(key)}" for key in keys if case.has_key(key))
    return f"depth {case.depth}, {case.gpus} GPUs, {more}"
