"""From an order to jobs: look, plan, check, and only then submit, or run here."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jobs.bad_nodes import NO_BAD_NODES, BadNodes, bad_nodes, count_others
from jobs.local import run_locally
from jobs.lock import only_one
from jobs.next_steps import CommandLine
from jobs.observe import Observer, View
from jobs.plan import Choice, Item, make_plan, to_run
from jobs.preflight import check_gpu_hours, check_with_slurm
from jobs.profile import Profile
from jobs.slurm_commands import NoAnswer, slurm_config
from jobs.submission import (
    NotNoted,
    Unsure,
    lanes_for,
    make_batches,
    script_of,
    submit_batches,
)
from jobs.terminal import (
    print_how_to_watch,
    print_plan,
    print_request,
    print_results,
    print_submission,
)
from jobs.witness import Witness
from study.errors import ConfigError, one_line
from study.grid import Grid
from study.processes import check_processes
from study.store import Store
from study.submissions import Submission, drop_broken_lines


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


def launch(order: Order) -> int:
    """Submit, or run here; 1 if a case failed, now or before."""
    order.store.check_name()
    check(order, order.plan(record=False).to_run)
    order.store.prepare()
    with only_one(order.store):
        plan = plan_again(order)
        print_plan(plan.items, order.profile)
        failed_before = any(item.failed for item in plan.items)
        if order.on_slurm:
            print_request(plan.to_run, order.profile)
            return max(submit(order, plan), int(failed_before))
        results = run_locally(plan.to_run, order.profile, order.store)
    print_results(results, order.store)
    return int(failed_before or any(r is None or r.outcome != "ok" for r in results))


def plan_again(order: Order) -> Plan:
    """Return the plan under the lock: another submit.py may have ended just now."""
    plan = order.plan()
    drop_broken_lines(order.store.submissions)  # what they held has been found again
    print_notes(plan)
    check_gpu_hours(plan.to_run, order.profile, order.max_gpu_hours)
    return plan


def check(order: Order, items: list[Item]) -> None:
    """Refuse what would cost too much or what Slurm would not take; before anything is written."""
    check_gpu_hours(items, order.profile, order.max_gpu_hours)
    if order.requeue and not order.on_slurm:
        raise ConfigError("--requeue", f"{order.profile.source} runs no Slurm; leave it away")
    if not order.on_slurm:
        check_processes(max((i.case.gpus for i in items if i.case.in_processes), default=1))
    if order.on_slurm and items:
        batches = make_batches(items, slurm_config())
        check_with_slurm(batches, order.profile, order.store, order.requeue)


def print_notes(plan: Plan) -> None:
    """Print what a person should know beside the plan."""
    for note in plan.notes:
        print(f"note: {note}", file=sys.stderr)


def submit(order: Order, plan: Plan) -> int:
    """Submit and say so, batch after batch; 1 if something stopped us on the way."""
    submitted: list[Submission] = []
    status = 0
    try:
        for batch in submissions(order, plan):
            print_submission(batch)
            submitted += batch
    except (ConfigError, OSError) as error:
        if isinstance(error, NotNoted):
            submitted += error.submissions
        if not submitted and not isinstance(error, Unsure):
            raise  # nothing was submitted
        status = 1
        print(
            f"error: {one_line(error)}; {len(submitted)} of {len(plan.to_run)} cases are queued; "
            "run the same command again for the rest",
            file=sys.stderr,
        )
    print_how_to_watch(submitted, order.typed, order.is_watched)
    return status


def submissions(order: Order, plan: Plan) -> Iterator[list[Submission]]:
    """Submit what is to run; each batch as soon as it is queued and noted."""
    if plan.to_run:
        config = slurm_config()
        batches = make_batches(plan.to_run, config)
        profile, store = order.profile, order.store
        yield from submit_batches(batches, profile, store, config, order.requeue, plan.running)


def submit_again(order: Order) -> list[Submission]:
    """Submit what the order's choice finds, without a word: for a screen that shows the jobs."""
    with only_one(order.store):
        plan = order.plan()
        check(order, plan.to_run)
        return [s for batch in submissions(order, plan) for s in batch]


def show_dry_run(order: Order) -> int:
    """Print the plan and every sbatch script."""
    order.store.check_name()
    plan = order.plan(record=False, needed=False)
    print_notes(plan)
    print_plan(plan.items, order.profile)
    print_request(plan.to_run, order.profile)
    check_gpu_hours(plan.to_run, order.profile, order.max_gpu_hours)
    if order.on_slurm:
        for title, script in dry_scripts(order, plan):
            print(f"\n# sbatch script of {title}\n{script}")
    print("\nDry run: nothing was submitted.")
    return 0


def dry_scripts(order: Order, plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what each call of sbatch would get, and what to call it; also where no Slurm is."""
    try:
        config = slurm_config()
    except NoAnswer:
        config = {}
    batches = make_batches(plan.to_run, config)
    lanes = lanes_for(batches, order.profile.max_parallel, plan.running)
    for number, batch in enumerate(batches, start=1):
        first = batch[0].case
        title = first.case_id if len(batch) == 1 else f"{len(batch)} cases like {first.case_id}"
        yield title, script_of(batch, order.profile, order.store, order.requeue, lanes.next())
        lanes.put(f"JOB{number}")  # the id that the script's job will have
