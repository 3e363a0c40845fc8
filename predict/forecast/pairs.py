"""Cases that were predicted, and what was measured later."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from predict.forecast.machine import difference
from study.case import Case
from study.results.result import Result
from study.storage.ledger import Submission
from study.storage.prediction import Prediction


@dataclass(frozen=True)
class Pair:
    """A prediction and the measurement of the very job that it was made for.

    Attributes:
        case: the configuration.
        prediction: as the ledger has it.
        result: what the job measured.
        other_machine: in what the job's machine differs from that of a calibration; None if in
            nothing that is known.
    """

    case: Case
    prediction: Prediction
    result: Result
    other_machine: str | None = None

    @property
    def measured_s(self) -> float:
        """The median of its steps."""
        assert self.result.measurement is not None, "only measured cases are in pairs"
        return median(self.result.measurement.step_times_s)

    @property
    def nodes(self) -> int:
        """The number of hosts that the job's processes were on."""
        environment = self.result.environment
        ranks = environment.ranks if environment is not None else ()
        return max(1, len({rank.host for rank in ranks}))

    @property
    def error(self) -> float:
        """The prediction's error as a share of what was measured; below 0 it was too fast."""
        return self.prediction.step_s / self.measured_s - 1

    @property
    def is_inside(self) -> bool:
        """True if what was measured lies in the predicted interval."""
        return self.prediction.contains(self.measured_s)


def pairs_of(submissions: Iterable[Submission], results: Mapping[str, Result]) -> list[Pair]:
    """Return what was predicted and then measured, in the order of the ledger.

    A result belongs to the submission of the same moment. Of a case that ran again only that one
    counts.

    Args:
        submissions: of the ledger.
        results: by case id; of calibrations, too.
    """
    found = []
    for submission in submissions:
        result = results.get(submission.case_id)
        if submission.prediction is None or result is None or result.measurement is None:
            continue
        if result.job.submitted_at == submission.submitted_at:
            differs = _difference(submission.prediction, result, results)
            found.append(Pair(submission.case, submission.prediction, result, differs))
    return found


def _difference(
    prediction: Prediction, result: Result, results: Mapping[str, Result]
) -> str | None:
    for name in prediction.calibrations:
        case_id, _, started_at = name.partition("@")
        calibration = results.get(case_id)
        if calibration is None or calibration.job.started_at != started_at:
            continue
        if differs := difference(calibration, result):
            return differs
    return None
