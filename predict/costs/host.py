"""Seconds that a process takes to launch what its GPU does, from steps of tiny layers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from predict.costs.lines import Point, line_at, points_of, seconds_at
from predict.orders.action import KINDS, Kind
from predict.simulation.costs import Host
from study.case import Case
from study.results.calibration.host import HostKind, HostRun
from study.results.calibration.record import Calibration
from study.schedules import SCHEDULES

Launching = Callable[[Kind, int], float]  # of the layers of a stage, in one action


@dataclass(frozen=True)
class HostTimes:
    """Steps of tiny layers under the schedule of a case.

    Attributes:
        runs: those of as many GPUs as come nearest to the case's.
    """

    runs: tuple[HostRun, ...]

    @classmethod
    def of(cls, case: Case, calibrations: Sequence[Calibration]) -> "HostTimes | None":
        """Return the times for a case; None if its schedule was not calibrated."""
        schedule = SCHEDULES[case.schedule]
        runs = [
            run
            for calibration in calibrations
            for run in calibration.host
            if run.schedule == case.schedule
            and (run.gradients == case.gradients or not schedule.is_pipeline)
        ]
        if not runs:
            return None
        nearest = min({run.gpus for run in runs}, key=lambda gpus: abs(gpus - case.gpus))
        return cls(tuple(run for run in runs if run.gpus == nearest))

    def step_s(self, layers: int) -> float:
        """Return the seconds of a step in which a process launches so many layers."""
        timed = [(float(run.layers_per_gpu), median(run.step_times_s)) for run in self.runs]
        return seconds_at(points_of(timed), layers)

    def action_s(self, kind: HostKind, layers: float) -> float:
        """Return the seconds of one action on so many layers; 0 of what no run has."""
        timed = self._by_layers(kind)
        return seconds_at(timed, layers) if timed else 0.0

    def of_pipeline(
        self,
        layers_of_stage: Sequence[int],
        layers_of_gpu: Sequence[int],
        launching: Launching | None,
    ) -> Host:
        """Return what a process of a pipeline takes for each call.

        Args:
            layers_of_stage: how many layers each stage has.
            layers_of_gpu: how many layers the stages of each GPU have.
            launching: returns what launching the layers of a stage takes; None for layers as in
                these runs.
        """
        of_kind: dict[Kind, list[float]] = {
            kind: [
                self.action_s(kind, layers)
                if launching is None
                else self._without_layers(kind) + launching(kind, stage)
                for stage, layers in enumerate(layers_of_stage)
            ]
            for kind in KINDS
        }
        most = max(layers_of_gpu)
        ending = self.action_s("scaling", most) + self.action_s("optimizer", most)
        once_s, operation_s = self._messages()
        # How much of it comes before the first action was not measured: half is at most half wrong.
        return Host(
            before_s=once_s / 2,
            action_s=of_kind,
            operation_s=operation_s,
            after_s=ending + once_s / 2,
        )

    def _by_layers(self, kind: HostKind) -> list[Point]:
        return points_of(
            (_layers_of(run, action.per_step), action.seconds)
            for run in self.runs
            for action in run.actions
            if action.kind == kind
        )

    def _without_layers(self, kind: HostKind) -> float:
        """Return what an action takes besides its layers."""
        timed = self._by_layers(kind)
        return max(0.0, line_at(timed, 0.0)[0]) if timed else 0.0

    def _messages(self) -> tuple[float, float]:
        """Return the seconds once in a step, and for each message, of what is in no action."""
        timed = points_of(
            (float(run.messages), action.seconds)
            for run in self.runs
            for action in run.actions
            if action.kind == "between"
        )
        if not timed:
            return 0.0, 0.0
        if timed[-1][0] == 0:  # one GPU sends nothing
            return timed[-1][1], 0.0
        once_s, each_s = line_at(timed, timed[-1][0])
        return max(0.0, once_s), each_s


def _layers_of(run: HostRun, per_step: int) -> float:
    """Return how many layers an action has: its GPU's, divided over its stages."""
    stages = max(1, per_step // max(1, run.micro_batches))
    return run.layers_per_gpu / stages
