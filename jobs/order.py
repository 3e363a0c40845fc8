"""What a person asked submit.py for, and the plan that follows from where every case stands."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from jobs.plan import Choice, Item, make_plan, to_run
from jobs.profile import Profile
from jobs.slurm.bad_nodes import NO_BAD_NODES, BadNodes, bad_nodes, count_others
from jobs.slurm.commands import NoAnswer
from jobs.slurm.poller import Witness
from jobs.status.tracker import Observer, View
from jobs.terminal.next_steps import CommandLine
from study.errors import ConfigError
from study.grid import Grid
from study.storage.ledger import Submission
from study.storage.store import Store


@dataclass(frozen=True)
class Plan:
    """What is to run, and where every case stands now."""

    items: list[Item]
    view: View
    notes: list[str]

    @property
    def to_run(self) -> list[Item]:
        """The items that are not left out."""
        return to_run(self.items)

    @property
    def running(self) -> list[Submission]:
        """What Slurm has of this folder, and may still run without a person."""
        seen = self.view.observations.values()
        live = [o.submission for o in seen if o.is_live and o.state and not o.is_stuck]
        return live + [a.submission for tried in self.view.earlier.values() for a in tried]


@dataclass(frozen=True)
class Order:
    """What a person asked submit.py for, and the words it was asked in."""

    grids: list[Grid]
    overrides: dict[str, Any]
    profile: Profile
    store: Store
    choice: Choice
    typed: CommandLine = field(default_factory=CommandLine)
    is_watched: bool = False
    requeue: bool = False
    max_gpu_hours: float | None = None
    witness: Witness = field(default_factory=Witness)

    @property
    def on_slurm(self) -> bool:
        """Whether its jobs are Slurm's."""
        return self.profile.executor == "slurm"

    def plan(self, record: bool = True, needed: bool = True) -> Plan:
        """Return what to run, given where every case stands now.

        Args:
            record: write into the ledger what has ended meanwhile.
            needed: an error if Slurm does not answer; False is for a dry run, anywhere.
        """
        if self.on_slurm:
            self.witness.refresh()
        if needed and self.witness.problem is not None:
            raise NoAnswer("nothing was submitted", self.witness.problem)
        observer = Observer(self.store, self.witness, record, self.profile.result_wait_s)
        view = observer.look()
        check_orphans(view)
        bad, notes = self.nodes_to_leave_out(view)
        grids, profile, choice = self.grids, self.profile, self.choice
        items = make_plan(grids, self.overrides, profile, self.store, view, choice, bad)
        return Plan(items, view, [*view.notes, *notes, *_hints(items, view, choice, grids)])

    def nodes_to_leave_out(self, view: View) -> tuple[BadNodes, list[str]]:
        """Return the nodes that fail one case after another, and notes on them.

        --force takes all nodes. Where no other node is left, the nodes are hardly to blame.
        """
        if self.choice.force or not self.on_slurm:
            return NO_BAD_NODES, []
        ours = {case.case_id for grid in self.grids for case in grid.cases()}
        bad = bad_nodes(view, ours)
        names = ", ".join(bad)
        if not bad:
            return NO_BAD_NODES, []
        if others := count_others(bad, self.profile.partition):
            note = f"left out: {names}, since the last cases there failed at launch"
            return BadNodes(bad, others), [f"{note}; --force takes all nodes"]
        return NO_BAD_NODES, [
            f"no node but {names} can run jobs, and the last cases there failed at launch: look at "
            f"what {self.profile.source} and the checkout need on them"
        ]


def check_orphans(view: View) -> None:
    """Refuse to submit beside queued jobs of this folder that cannot tell their cases any more."""
    if view.orphans:
        jobs = " ".join(view.orphans)
        raise ConfigError(
            "batches", f"gone for the queued jobs {jobs}; end them first: scancel {jobs}"
        )


def _hints(items: list[Item], view: View, choice: Choice, grids: list[Grid]) -> list[str]:
    """Return what to add to the command line, where nothing runs and cases of these grids ended so.

    They were submitted with a --set that is missing now.
    """
    if to_run(items) or choice.only is None:
        return []
    names, ours = {grid.name for grid in grids}, {item.case for item in items}
    others: Counter[tuple[str, str]] = Counter()
    for seen in view.observations.values():
        s = seen.submission
        if seen.outcome in choice.only and s.grid in names and s.case not in ours:
            sets = " ".join(f"--set {key}={value}" for key, value in s.overrides.items())
            others[s.grid, sets] += 1
    return [
        f"{count} {'case' if count == 1 else 'cases'} of {grid} ended so with other settings: "
        f"repeat {sets or 'without --set'}"
        for (grid, sets), count in others.items()
    ]
