"""The calibrations that a prediction is made from."""

from dataclasses import dataclass

from predict.costs.refusal import Unpredictable
from study.results.calibration.record import Calibration
from study.results.layers import ModelProfile
from study.results.result import Result


@dataclass(frozen=True)
class Calibrated:
    """Results of calibrations of one model on one kind of machine.

    Attributes:
        one: of one GPU.
        pair: of two GPUs of a node; None if there is none.
        over_nodes: of two GPUs of two nodes; None if there is none.
        model: the sizes of the case's layers; None where they follow from the case, or are unknown.
    """

    one: Result
    pair: Result | None = None
    over_nodes: Result | None = None
    model: ModelProfile | None = None

    @property
    def results(self) -> tuple[Result, ...]:
        """All that there are."""
        return tuple(r for r in (self.one, self.pair, self.over_nodes) if r is not None)

    @property
    def ids(self) -> tuple[str, ...]:
        """The name of each of them: its case and when it was measured."""
        return tuple(f"{each.case_id}@{each.job.started_at}" for each in self.results)

    @property
    def gpus(self) -> int:
        """The most GPUs of one of them."""
        return max(each.case.gpus for each in self.results)

    @property
    def layers(self) -> Calibration:
        """The times of one GPU."""
        return record_of(self.one)

    @property
    def pair_record(self) -> Calibration | None:
        """The times of two GPUs, where there are some."""
        return None if self.pair is None else record_of(self.pair)

    def between(self, nodes: int) -> Calibration:
        """Return the times of what passes between GPUs.

        Args:
            nodes: on how many nodes they lie.

        Raises:
            Unpredictable: there is no calibration of these.
        """
        if nodes > 1:
            if self.over_nodes is None:
                raise Unpredictable(f"it runs on {nodes} nodes, and no link of nodes is calibrated")
            return record_of(self.over_nodes)
        if self.pair is None:
            raise Unpredictable("what passes between GPUs is not calibrated: no calibration of two")
        return record_of(self.pair)

    @property
    def everything(self) -> list[Calibration]:
        """The times of all of them, those of most GPUs first."""
        return [record_of(each) for each in reversed(self.results)]


def record_of(result: Result) -> Calibration:
    """Return what a calibration has measured."""
    assert result.calibration is not None, f"{result.case_id} is a calibration"
    return result.calibration
