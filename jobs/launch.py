"""From an order to jobs: look, plan, check, and only then submit, or run here."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jobs.local import run_locally
from jobs.lock import only_one
from jobs.observe import Observer, View
from jobs.plan import Choice, Item, make_plan, to_run
from jobs.preflight import check_gpu_hours, check_with_slurm
from jobs.profile import Profile
from jobs.slurm_commands import NoAnswer, slurm_config
from jobs.submission import make_batches, script_of, submit_batches
from jobs.terminal import (
    print_how_to_watch,
    print_plan,
    print_request,
    print_results,
    print_submission,
)
from jobs.witness import Witness
from study.errors import ConfigError
from study.grid import Grid
from study.processes import check_processes
from study.store import Store
from study.submissions import Submission, drop_broken_lines


@dataclass(frozen=True)
class Order:
    """What a person asked submit.py for."""

    grids: list[Grid]
    overrides: dict[str, Any]
    profile: Profile
    store: Store
    choice: Choice
    requeue: bool = False
    max_gpu_hours: float | None = None
    witness: Witness = field(default_factory=Witness)

    @property
    def on_slurm(self) -> bool:
        """Whether its jobs are Slurm's."""
        return self.profile.executor == "slurm"

    def plan(self, record: bool = True, needed: bool = True) -> tuple[list[Item], list[str]]:
        """What to run, given where every case stands now; and notes for the person.

        Args:
            record: write into the ledger what has ended meanwhile.
            needed: an error if Slurm does not answer; False is for a dry run, anywhere.
        """
        if self.on_slurm:
            self.witness.refresh()
        if needed and self.witness.problem is not None:
            raise NoAnswer("nothing was submitted", self.witness.problem)
        view = Observer(self.store, self.witness, record).look()
        check_orphans(view)
        items = make_plan(self.grids, self.overrides, self.profile, self.store, view, self.choice)
        return items, view.notes


def check_orphans(view: View) -> None:
    """Refuse to submit beside queued jobs of this folder that cannot tell their cases any more."""
    if view.orphans:
        jobs = " ".join(view.orphans)
        raise ConfigError(
            "batches", f"gone for the queued jobs {jobs}; end them first: scancel {jobs}"
        )


def launch(order: Order) -> int:
    """Submit, or run here; 1 if a case failed, now or before."""
    first_plan, _ = order.plan(record=False)
    check(order, to_run(first_plan))
    order.store.prepare()
    with only_one(order.store):
        items = plan_again(order)
        print_plan(items, order.profile)
        failed_before = any(item.failed for item in items)
        if order.on_slurm:
            print_request(to_run(items), order.profile)
            return max(submit(order, to_run(items)), int(failed_before))
        results = run_locally(to_run(items), order.profile, order.store)
    print_results(results, order.store)
    return int(failed_before or any(r is None or r.outcome != "ok" for r in results))


def plan_again(order: Order) -> list[Item]:
    """The plan under the lock: another submit.py may have ended just now."""
    items, notes = order.plan()
    drop_broken_lines(order.store.submissions)  # what they held has been found again
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    check_gpu_hours(to_run(items), order.profile, order.max_gpu_hours)
    return items


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


def submit(order: Order, items: list[Item]) -> int:
    """Submit and say so, batch after batch; 1 if Slurm stopped us on the way."""
    submitted: list[Submission] = []
    status = 0
    try:
        for batch in submissions(order, items):
            print_submission(batch)
            submitted += batch
    except (ConfigError, OSError) as error:
        if not submitted:
            raise
        status = 1
        print(
            f"error: {error}; {len(submitted)} of {len(items)} cases are queued; "
            "run the same command again for the rest",
            file=sys.stderr,
        )
    print_how_to_watch(submitted, order.grids, order.store)
    return status


def submissions(order: Order, items: list[Item]) -> Iterator[list[Submission]]:
    """Submit the items; each batch as soon as it is queued and noted."""
    if items:
        config = slurm_config()
        batches = make_batches(items, config)
        cluster = config.get("ClusterName")
        yield from submit_batches(batches, order.profile, order.store, cluster, order.requeue)


def submit_again(order: Order) -> list[Submission]:
    """Submit what the order's choice finds, without a word: for a screen that shows the jobs."""
    with only_one(order.store):
        items, _ = order.plan()
        check(order, to_run(items))
        return [s for batch in submissions(order, to_run(items)) for s in batch]


def show_dry_run(order: Order) -> int:
    """Print the plan and every sbatch script."""
    items, _ = order.plan(record=False, needed=False)
    print_plan(items, order.profile)
    print_request(to_run(items), order.profile)
    check_gpu_hours(to_run(items), order.profile, order.max_gpu_hours)
    if order.on_slurm:
        for title, script in dry_scripts(order, to_run(items)):
            print(f"\n# sbatch script of {title}\n{script}")
    print("\nDry run: nothing was submitted.")
    return 0


def dry_scripts(order: Order, items: list[Item]) -> Iterator[tuple[str, str]]:
    """What each call of sbatch would get, and what to call it; also where no Slurm is."""
    try:
        config = slurm_config()
    except NoAnswer:
        config = {}
    for batch in make_batches(items, config):
        first = batch[0].case
        title = first.case_id if len(batch) == 1 else f"{len(batch)} cases like {first.case_id}"
        yield title, script_of(batch, order.profile, order.store, order.requeue)
