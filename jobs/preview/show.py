"""The predictions of a grid's cases on stdout, and nothing submitted."""

import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from jobs.order import SubmitOrder
from jobs.terminal.messages import print_notes
from jobs.terminal.next_steps import CommandLine
from jobs.terminal.refusals import refusal_lines, several
from predict.costs.refusal import Unpredictable
from predict.forecast.advice import advise
from predict.forecast.best import By, Candidate
from predict.forecast.condition import conditions
from predict.forecast.names import how_settings, work_settings
from predict.forecast.predict import Predicted, Predictor
from predict.forecast.row import TITLES, notes_of, row_of
from predict.memory.fit import Fits
from study.case import Case
from study.errors import ConfigError
from study.results.result import Result
from study.storage.prediction import Prediction
from study.text import one_line

MOST = 10_000  # cases


def show_predictions(order: SubmitOrder, best: By | None) -> int:
    """Print what each case of the order would take, and submit nothing; 2 if nobody can say.

    Args:
        order: the cases, where they would run, and the command line of the person.
        best: by what to choose cases; None is not to choose.
    """
    for grid in order.grids:
        grid.check_file()
    if order.typed.calibrated:
        problem = "a calibration has no step to predict; name the grid that it is for as --grid"
        raise ConfigError("--predict", problem)
    cases = dict.fromkeys(case.configuration for grid in order.grids for case in grid.cases())
    if len(cases) > MOST:
        problem = f"{len(cases)} cases are more than {MOST}, which take minutes; use a smaller grid"
        raise ConfigError("--predict", problem)
    never = _impossible(order, cases)
    if not print_predictions(order, list(cases), best, never):
        return 2
    print("Predicted: nothing was submitted.", flush=True)
    return 0


def print_predictions(
    order: SubmitOrder, cases: Sequence[Case], best: By | None = None, never: Container[Case] = ()
) -> bool:
    """Print a row a case, on what machine it holds, and which to choose.

    Args:
        order: where they would run, and the command line of the person.
        cases: to be predicted.
        best: by what to choose cases; None is not to choose.
        never: those that no job of the profile can run.

    Returns:
        Whether any case has a prediction.
    """
    known = order.predictor.known
    for problem in known.unreadable:
        print(one_line(f"note: {problem}; left out"), file=sys.stderr)
    found = {case: order.predictor.of(case) for case in cases}
    without = {
        case: known.why_missing(case, each)
        for case, each in found.items()
        if isinstance(each, Unpredictable)
    }
    _print_refusals(without, order.typed)
    candidates = _candidates(found, order.fits, never)
    if not candidates:
        return False
    chosen, advice = advise(candidates, best) if best else ([], [])
    rows = [
        (
            each.case.case_id,
            each.full_words,
            *row_of(each.case, each.prediction, is_about=_is_about(each.case, order.fits)),
            notes_of(each.prediction, each.fit, is_best=each in chosen),
        )
        for each in candidates
    ]
    for line in _aligned(("case", "what", *TITLES, "notes"), rows):
        print(line)
    for line in advice:
        print(one_line(line))
    for line in conditions(_used(candidates, order.predictor), datetime.now(UTC)):
        print(one_line(line))
    return True


def _candidates(
    found: Mapping[Case, Predicted], fits: Fits, never: Container[Case]
) -> list[Candidate]:
    work, how = work_settings(list(found)), how_settings(list(found))
    return [
        Candidate(
            case, each, "cannot run" if case in never else _fit(case, fits), work[case], how[case]
        )
        for case, each in found.items()
        if isinstance(each, Prediction)
    ]


def _fit(case: Case, fits: Fits) -> str | None:
    fit = fits.of(case)
    return None if fit is None else fit.answer


def _is_about(case: Case, fits: Fits) -> bool:
    """Return whether the plan, too, calls the memory of the case an estimate."""
    fit = fits.of(case)
    return fit is not None and fit.is_about


def _used(candidates: list[Candidate], predictor: Predictor) -> list[Result]:
    used = {name for each in candidates for name in each.prediction.calibrations}
    return [
        result
        for result in predictor.known.results
        if f"{result.case_id}@{result.job.started_at}" in used
    ]


def _impossible(order: SubmitOrder, cases: Iterable[Case]) -> set[Case]:
    """Return the cases that the profile's machines can never run, and say so on stderr.

    Submitting refuses those. They are predicted all the same, since calibrations may come from
    another machine.

    Args:
        order: where the cases would run.
        cases: to be predicted.
    """
    why: dict[str, list[Case]] = {}
    for case in cases:
        if (problem := order.executor.why_never(case)) is not None:
            why.setdefault(problem, []).append(case)
    no_job = f"no job of profile {order.profile.name} can run"
    ids = {problem: several([case.case_id for case in its]) for problem, its in why.items()}
    print_notes([f"{no_job} {those}: {problem}" for problem, those in ids.items()])
    return {case for its in why.values() for case in its}


def _print_refusals(found: dict[Case, Unpredictable], typed: CommandLine) -> None:
    """Say on stderr which cases have no prediction, each reason once."""
    lines = ((case.case_id, each.line(typed.calibrate())) for case, each in found.items())
    for line in refusal_lines(lines):
        print(line, file=sys.stderr)


def _aligned(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the titles and a line a row; columns that are unknown in every row are left out.

    Args:
        titles: of the columns.
        rows: their entries.
    """
    kept = [n for n in range(len(titles)) if n < 2 or any(row[n] != "–" for row in rows)]
    lines = [[titles[n] for n in kept], *([row[n] for n in kept] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(entry.ljust(width) for entry, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
