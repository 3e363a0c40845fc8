"""The interval in which the measured step lies in 90 % of cases."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, hypot

from predict.forecast.pairs import Pair
from study.case import Case
from study.schedules import SCHEDULES
from study.storage.prediction import Group

# Shares of a step: the largest errors of 27 predictions on H200s before the runs, rounded up (of 6,
# 6, 6 and 9 cases); one FSDP case, whose launching was not followed then, was 20 % off.
DEFAULTS: dict[Group, float] = {"one stage": 0.05, "runtime": 0.06, "naive": 0.05, "together": 0.12}
COVERED = 0.9
ENOUGH = 10  # pairs whose errors say more than the defaults
_LOOPS = ("gpipe", "1f1b")


def group_of(case: Case) -> Group:
    """Return the schedules that are predicted alike."""
    schedule = SCHEDULES[case.schedule]
    if schedule.is_on_all_gpus:
        return "together"
    if not schedule.is_pipeline:
        return "naive"
    return "one stage" if case.schedule in _LOOPS else "runtime"


@dataclass(frozen=True)
class Residuals:
    """Errors of earlier predictions.

    Attributes:
        pairs: what was predicted and measured.
    """

    pairs: Sequence[Pair] = field(default=())

    def half_width(self, group: Group) -> tuple[float, bool]:
        """Return the share of a step within which 90 % of errors lie, and whether they were seen.

        Of n errors the ceil(0.9 (n + 1))-th smallest holds the next one in 90 % of cases, whatever
        their distribution (split conformal prediction, Lei et al. 2018, arXiv 1604.04173).

        Args:
            group: of schedules.
        """
        errors = sorted(
            abs(pair.measured_s / pair.prediction.step_s - 1)
            for pair in self.pairs
            if pair.prediction.group == group
            and not pair.prediction.is_launch_bound
            and pair.other_machine is None
        )
        if len(errors) < ENOUGH:
            return DEFAULTS[group], False
        return errors[min(len(errors), ceil(COVERED * (len(errors) + 1))) - 1], True

    def most_gpus(self, group: Group) -> int:
        """Return the most GPUs on which a prediction of these schedules was held against a job."""
        return max((p.case.gpus for p in self.pairs if p.prediction.group == group), default=0)

    def most_nodes(self, group: Group) -> int:
        """Return the most nodes of a job that was held against a prediction of these schedules."""
        return max((p.nodes for p in self.pairs if p.prediction.group == group), default=1)


def half_width(base: float, doubt: float, *, doubled: bool) -> float:
    """Return half of the interval as a share of the step.

    Args:
        base: by the errors of such predictions.
        doubt: by the spread of the calibration.
        doubled: whether it goes beyond all that was seen.
    """
    return min(0.95, hypot(base, doubt) * (2 if doubled else 1))
