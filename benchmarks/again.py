"""Predictions made anew for cases that have run, from the calibrations of the same folder."""

from collections.abc import Iterable

import msgspec

from predict.forecast.intervals import Residuals
from predict.forecast.matching import Known
from predict.forecast.pairs import Pair, pairs_of
from predict.forecast.predict import Predictor
from predict.memory.fit import Layers
from predict.memory.kinds.of_case import layers_of
from report.data.load import ProfileResults
from study.case import Case
from study.results.result import Result
from study.storage.ledger import Submission
from study.storage.prediction import Prediction

LABEL = "made after the run"


def pairs_again(profile: ProfileResults) -> list[Pair]:
    """Return each measured case with what this version predicts of it, in the ledger's order.

    The ledger keeps what was predicted before the jobs ran; nothing is written. Intervals are the
    defaults: no error of the folder is used.

    Args:
        profile: of a results folder.
    """
    results = {result.case_id: result for result in _known(profile)}
    predictor = Predictor(
        Known(tuple(result for result in profile.calibrations.values() if result is not None)),
        Residuals(),
        lambda case: _nodes(results.get(case.case_id)),
        lambda case: layers_of(case) or Layers(),
    )
    made = (
        msgspec.structs.replace(submission, prediction=_labelled(predictor, submission.case))
        for submission in _submissions(profile)
    )
    return pairs_of(made, results)


def _known(profile: ProfileResults) -> Iterable[Result]:
    every = (*profile.results.values(), *profile.calibrations.values())
    return (result for result in every if result is not None)


def _submissions(profile: ProfileResults) -> Iterable[Submission]:
    return (s for s in profile.submissions if s.case in profile.results)


def _labelled(predictor: Predictor, case: Case) -> Prediction | None:
    found = predictor.of(case)
    if not isinstance(found, Prediction):
        return None
    return msgspec.structs.replace(found, labels=(*found.labels, LABEL))


def _nodes(result: Result | None) -> int:
    """Return the hosts that a job's processes were on."""
    environment = None if result is None else result.environment
    ranks = environment.ranks if environment is not None else ()
    return max(1, len({rank.host for rank in ranks}))
