"""The order that a person gives to submit.py, and the plan that it leads to."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jobs.executor import Executor, NoAnswer, Poller
from jobs.executors import make_pollers
from jobs.fit.forecast import make_fits
from jobs.plan import RerunPolicy, make_plan
from jobs.planned import PlannedCase, to_run
from jobs.predictions.folder import known_of, make_predictor
from jobs.predictions.of_plan import with_predictions
from jobs.profile import Profile
from jobs.status.bad_nodes import NO_BAD_NODES, BadNodes
from jobs.status.case_status import Snapshot
from jobs.status.tracker import JobTracker
from jobs.terminal.next_steps import CommandLine
from predict.forecast.matching import Known
from predict.forecast.predict import Predictor
from predict.memory.fit import Fits
from study.calibration.grid import calibration_for
from study.case import Case
from study.errors import ConfigError
from study.grids.grid import Grid
from study.storage.ledger import Submission
from study.storage.store import Store


@dataclass(frozen=True)
class Plan:
    """The cases that run, those that do not, and the status of every case now."""

    planned: list[PlannedCase]
    snapshot: Snapshot
    notes: list[str]

    @property
    def to_run(self) -> list[PlannedCase]:
        """The cases that are not left out."""
        return to_run(self.planned)

    @property
    def running(self) -> list[Submission]:
        """Jobs of this folder that may still run without a person."""
        seen = self.snapshot.statuses.values()
        live = [o.submission for o in seen if o.is_live and o.state and not o.is_stuck]
        return live + [a.submission for tried in self.snapshot.earlier.values() for a in tried]


@dataclass(frozen=True)
class SubmitOrder:
    """The command line of a person, checked, and in the words it was given."""

    grids: list[Grid]
    overrides: dict[str, Any]
    executor: Executor
    policy: RerunPolicy
    typed: CommandLine = field(default_factory=CommandLine)
    is_watched: bool = False
    max_gpu_hours: float | None = None
    pollers: dict[str, Poller] = field(default_factory=make_pollers)

    @property
    def profile(self) -> Profile:
        """The profile of the jobs."""
        return self.executor.profile

    @property
    def store(self) -> Store:
        """The folder of their results."""
        return self.executor.store

    @cached_property
    def fits(self) -> Fits:
        """The memory that cases take, against that of the GPUs that they are to get."""
        size, is_emulated = self.executor.gpu_size(), self.executor.emulates_gpus
        return make_fits(size, self.store, self.known.cuts_of, is_emulated=is_emulated)

    @cached_property
    def known(self) -> Known:
        """The calibrations that are there now."""
        return known_of(self.store, self.profile, self._calibrations)

    def _calibrations(self) -> list[Case]:
        """Return the calibrations that the command for these cases would make."""
        if self.typed.calibrated:
            return []  # it is this command
        try:
            return calibration_for(self.grids, {}, self.executor.nodes_of).cases()
        except ConfigError:  # they cannot be calibrated
            return []

    @cached_property
    def predictor(self) -> Predictor:
        """The predictions of cases, from the calibrations that are there now."""
        nodes_of, layers_of = self.executor.nodes_of, self.fits.layers_of
        return make_predictor(self.store, self.known, nodes_of, layers_of)

    def plan(self, record: bool = True, needed: bool = True) -> Plan:
        """Return what to run, given the status of every case now.

        Args:
            record: write into the ledger what has ended meanwhile.
            needed: an error if the executor does not answer; False is for a dry run, anywhere.

        Raises:
            NoAnswer: the executor does not answer.
            ConfigError: a case cannot run here, or a queued job's batch is gone.
        """
        poller = self.pollers[self.profile.executor]
        poller.refresh()
        if needed and poller.problem is not None:
            raise NoAnswer("nothing was submitted", poller.problem)
        others = self.pollers.keys() - {self.profile.executor}
        tracker = JobTracker(self.store, self.pollers, record, self.profile.result_wait_s, others)
        snapshot = tracker.refresh()
        _check_orphans(snapshot)
        bad, notes = self.nodes_to_leave_out(snapshot)
        planned = make_plan(
            self.grids, self.overrides, self.executor, snapshot, self.policy, bad=bad
        )
        planned = with_predictions(planned, self.predictor, self.typed)
        return Plan(planned, snapshot, [*snapshot.notes, *notes, *self._hints(planned, snapshot)])

    def nodes_to_leave_out(self, snapshot: Snapshot) -> tuple[BadNodes, list[str]]:
        """Return the nodes that fail one case after another, and notes on them.

        --force takes all nodes.
        """
        if self.policy.force:
            return NO_BAD_NODES, []
        ours = {case.case_id for grid in self.grids for case in grid.cases()}
        return self.executor.find_bad_nodes(snapshot, ours)

    def _hints(self, planned: list[PlannedCase], snapshot: Snapshot) -> list[str]:
        """Return what to add to the command line, where nothing runs and cases ended as chosen.

        They were submitted with a --set that is missing now.
        """
        if to_run(planned) or self.policy.only is None:
            return []
        names, ours = {grid.name for grid in self.grids}, {each.case for each in planned}
        others: Counter[tuple[str, str]] = Counter()
        for seen in snapshot.statuses.values():
            s = seen.submission
            if seen.outcome in self.policy.only and s.grid in names and s.case not in ours:
                sets = " ".join(f"--set {key}={value}" for key, value in s.overrides.items())
                others[s.grid, sets] += 1
        return [
            f"{count} {'case' if count == 1 else 'cases'} of {grid} ended so with other settings: "
            f"repeat {sets or 'without --set'}"
            for (grid, sets), count in others.items()
        ]


def _check_orphans(snapshot: Snapshot) -> None:
    """Refuse to submit while queued jobs of this folder cannot tell their cases any more."""
    if snapshot.orphans:
        jobs = " ".join(snapshot.orphans)
        raise ConfigError(
            "batches", f"gone for the queued jobs {jobs}; end them first: scancel {jobs}"
        )
