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
        """Return the times for a case; None if its schedule was not calibrated.

        Of layers of its own kind of model where there are some, else of linear ones.
        """
        schedule = SCHEDULES[case.schedule]
        runs = [
            run
            for calibration in calibrations
            for run in calibration.host
            if run.schedule == case.schedule
            and (run.gradients == case.gradients or not schedule.is_pipeline)
        ]
        of_model = [run for run in runs if run.kind == case.kind]
        runs = of_model or [run for run in runs if run.kind == "linear"]
        if not runs:
            return None
        nearest = min({run.gpus for run in runs}, key=lambda gpus: abs(gpus - case.gpus))
        return cls(tuple(run for run in runs if run.gpus == nearest))

    @classmethod
    def of_naive(cls, calibrations: Sequence[Calibration]) -> "HostTimes | None":
        """Return the times of one process that runs all layers; None if these were not taken."""
        every = (run for calibration in calibrations for run in calibration.host)
        runs = tuple(run for run in every if run.schedule == "naive" and run.gpus == 1)
        return cls(runs) if runs else None

    @property
    def is_of_blocks(self) -> bool:
        """True if the layers were those of a GPT or a ResNet, with blocks between two others."""
        return self.runs[0].kind != "linear"

    def step_s(self, layers: int) -> float:
        """Return the seconds of a step in which a process launches so many layers."""
        timed = [(float(run.layers_per_gpu), median(run.step_times_s)) for run in self.runs]
        return seconds_at(points_of(timed), layers)

    def action_s(self, kind: HostKind, layers: float) -> float:
        """Return the seconds of one action on so many layers; 0 of what no run has."""
        timed = self._by_layers(kind)
        return seconds_at(timed, layers) if timed else 0.0

    def block_and_end_s(self, kind: HostKind, blocks: int, ends: int) -> tuple[float, float]:
        """Return the seconds of one action on each block of a model, and on each layer at its ends.

        What does not grow with the blocks is that of the ends: what their layers take, the loss,
        and what comes once in a step.

        Args:
            kind: of the action.
            blocks: how many the model has.
            ends: how many layers it has besides.
        """
        whole_s = self.action_s(kind, blocks + ends)
        timed = self._by_layers(kind)
        slope = line_at(timed, blocks + ends)[1] if timed else 0.0
        block_s = min(slope, whole_s / blocks)
        return block_s, (whole_s - blocks * block_s) / ends

    def of_pipeline(
        self,
        layers_of_stage: Sequence[int],
        layers_of_gpu: Sequence[int],
        launching: Launching | None,
        *,
        puts_off: bool = False,
    ) -> Host:
        """Return what a process of a pipeline takes for each call.

        Args:
            layers_of_stage: how many layers each stage has.
            layers_of_gpu: how many layers the stages of each GPU have.
            launching: returns what launching the layers of a stage takes; None for layers as in
                these runs.
            puts_off: whether the first stage computes its whole backward as its weight gradients.
        """
        of_kind: dict[Kind, list[float]] = {
            kind: [
                self._stage_s(kind, stage, layers, launching, puts_off=puts_off and not stage)
                for stage, layers in enumerate(layers_of_stage)
            ]
            for kind in KINDS
        }
        most = max(layers_of_gpu)
        ending = self.action_s("scaling", most) + self.action_s("optimizer", most)
        once_s, operation_s = self._messages()
        # Where the time before the first action was not measured, half is off by half at most.
        before_s = self._once_s("before")
        after_s = once_s / 2 if before_s is None else once_s
        return Host(
            before_s=once_s / 2 if before_s is None else before_s,
            action_s=of_kind,
            lead_s={kind: self._without_layers(kind) for kind in KINDS},
            first_s=self._first_s(),
            operation_s=operation_s,
            after_s=ending + after_s,
        )

    def _first_s(self) -> float:
        """Return what the first forward of a step takes beyond others; 0 where that is unknown."""
        of_runs = [{action.kind: action.seconds for action in run.actions} for run in self.runs]
        longer = [its["first"] - its["forward"] for its in of_runs if "first" in its]
        return max(0.0, median(longer)) if longer else 0.0

    def _stage_s(
        self, kind: Kind, stage: int, layers: float, launching: Launching | None, *, puts_off: bool
    ) -> float:
        """Return the seconds of one action of a stage."""
        if puts_off and kind == "input_gradient":
            return 0.0
        if launching is not None:
            return self._without_layers(kind) + launching(kind, stage)
        is_whole = puts_off and kind == "weight_gradient" and self._by_layers("backward")
        return self.action_s("backward" if is_whole else kind, layers)

    @property
    def forward_share(self) -> float:
        """The share of forward in launching forward and backward; a half where that is unknown."""
        forward_s, backward_s = self._once_s("forward"), self._once_s("backward")
        if not forward_s or not backward_s:
            return 0.5
        return forward_s / (forward_s + backward_s)

    def _once_s(self, kind: HostKind) -> float | None:
        """Return the seconds of an action whatever the layers; None of what no run has."""
        timed = [
            action.seconds for run in self.runs for action in run.actions if action.kind == kind
        ]
        return median(timed) if timed else None

    def _by_layers(self, kind: HostKind) -> list[Point]:
        return points_of(
            (_layers_of_action(run), action.seconds)
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


def _layers_of_action(run: HostRun) -> float:
    """Return how many layers an action of a stage has: its GPU's, divided over its stages."""
    most = max(action.per_step for action in run.actions)
    return run.layers_per_gpu / max(1, most // max(1, run.micro_batches))
