"""The prediction of each case that is to run, for its line of the ledger."""

from dataclasses import replace

from jobs.planned import PlannedCase
from jobs.terminal.next_steps import CommandLine
from predict.forecast.predict import Predictor
from study.storage.prediction import Prediction

MOST = 1_000  # cases of a plan that are predicted; more would keep a person waiting


def with_predictions(
    planned: list[PlannedCase], predictor: Predictor, typed: CommandLine
) -> list[PlannedCase]:
    """Return the plan with predictions of what is to run, where there are calibrations.

    Args:
        planned: the cases.
        predictor: of their steps.
        typed: the command line of the person, for the command that helps.
    """
    if predictor.known.is_empty:
        return planned
    run = {each.case.configuration for each in planned if each.left_out is None}
    is_long = len(run) > MOST
    return [_with_prediction(each, predictor, typed, is_long=is_long) for each in planned]


def _with_prediction(
    each: PlannedCase, predictor: Predictor, typed: CommandLine, *, is_long: bool
) -> PlannedCase:
    if each.left_out is not None or each.case.is_calibration:
        return each
    if is_long:
        return replace(each, no_prediction=f"a plan of more than {MOST} cases is not predicted")
    found = predictor.of(each.case)
    if isinstance(found, Prediction):
        return replace(each, prediction=found)
    why = predictor.known.why_missing(each.case, found)
    return replace(each, no_prediction=why.line(typed.calibrate()))
