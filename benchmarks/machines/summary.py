"""What ran, what failed, and how long it took, as a short text."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.machines.plan import Planned
from benchmarks.machines.seconds import seconds_of
from study.case import Case
from study.results.file import read_result
from study.results.result import Result
from study.storage.ledger import Attempt, attempts_of_each_case, read
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
    said: list[str] = []
    submitted: list[Attempt] = []
    for planned in part:
        profile = planned.batch.profile
        found, attempts = results.get(profile, {}), _last_attempts(folder, profile)
        mine = {case: found[case] for case in planned.cases if case in found}
        lines.append(_row(planned, mine))
        said += [*_failures(planned, mine, attempts), *_left_out(mine.values())]
        ids = [case.case_id for case in planned.cases if not case.is_calibration]
        submitted += [attempts[case_id] for case_id in ids if case_id in attempts]
    count = sum(attempt.submission.prediction is not None for attempt in submitted)
    lines += ["", f"The command took {took_s:.0f} s."]
    lines += [f"{count} of {len(submitted)} submitted cases were predicted before.", *said]
    return [*lines, *(f"note: {note}" for note in notes)]


def _last_attempts(folder: Path, profile: str) -> dict[str, Attempt]:
    """Return the last attempt at each case, by case id."""
    events, _ = read(Store(folder / "results", profile).submissions)
    return {case_id: tries[-1] for case_id, tries in attempts_of_each_case(events).items()}


def _left_out(results: Iterable[Result]) -> Iterator[str]:
    """Yield what calibrations had no time for, or could not measure."""
    for result in results:
        for note in result.calibration.left_out if result.calibration else ():
            yield f"left out of {result.case_id}: {note}"


def is_complete(part: list[Planned], folder: Path) -> bool:
    """Return whether every case of the part was measured."""
    results = results_of(folder)
    return all(
        (result := results.get(planned.batch.profile, {}).get(case)) and result.error is None
        for planned in part
        for case in planned.cases
    )


def _row(planned: Planned, found: dict[Case, Result]) -> str:
    measured = [result for result in found.values() if result.error is None]
    took = [sum(phase.seconds for phase in result.phases or ()) for result in measured]
    estimated = median(map(seconds_of, planned.cases))
    gpus = ", ".join(map(str, sorted({case.gpus for case in planned.cases})))
    emulated = " (emulated)" if planned.batch.emulated else ""
    seconds = f"{median(took):.1f}" if took else "–"
    count = f"{len(measured)} of {len(planned.cases)}"
    return f"| {planned.batch.words} | {count} | {gpus}{emulated} | {estimated:.0f}, {seconds} |"


def _failures(
    planned: Planned, found: dict[Case, Result], attempts: dict[str, Attempt]
) -> Iterator[str]:
    """Yield a line for each case that a job did not measure; what had no job is in the table.

    Args:
        planned: the batch.
        found: its results.
        attempts: the last at each case, by case id.
    """
    for case in planned.cases:
        result = found.get(case)
        if result is not None and result.error is not None:
            message = " ".join((result.error.message or result.error.type).split())
            yield f"{result.outcome}: {planned.batch.grid}: {_words(case)}: {message[:MOST_WORDS]}"
        elif result is None and case.case_id in attempts:
            ended = attempts[case.case_id].ended
            how = f"{ended.outcome}: {ended.reason}" if ended else "submitted, its end is unknown"
            yield f"{how[:MOST_WORDS]}: {planned.batch.grid}: {_words(case)}"


def _words(case: Case) -> str:
    keys = ("schedule", "micro_batches", "gradients", "execution", "balance", "batch_size")
    more = ", ".join(f"{key} {case.value(key)}" for key in keys if case.has_key(key))
    return f"depth {case.depth}, {case.gpus} GPUs, {more}"
