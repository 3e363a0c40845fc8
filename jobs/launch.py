"""From an order to jobs: look, plan, check, and only then submit, or run here."""

import sys
from collections.abc import Iterator

from jobs.local.runner import run_locally
from jobs.lock import only_one
from jobs.order import Order, Plan
from jobs.plan import Item
from jobs.slurm.commands import NoAnswer, slurm_config
from jobs.slurm.preflight import check_gpu_hours, check_with_slurm
from jobs.slurm.submission import (
    NotNoted,
    Unsure,
    lanes_for,
    make_batches,
    script_of,
    submit_batches,
)
from jobs.terminal.messages import (
    print_how_to_watch,
    print_notes,
    print_plan,
    print_request,
    print_results,
    print_submission,
)
from study.errors import ConfigError, explain
from study.processes import check_processes
from study.storage.ledger import Submission, batches_in, drop_broken_lines


def launch(order: Order) -> int:
    """Submit, or run here; 1 if a case failed, now or before."""
    order.store.check_name()
    check(order, order.plan(record=False).to_run)
    order.store.check_links(batches_in(order.store.submissions))
    order.store.prepare()
    print_notes(order.store.exposed_to())
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
    print_notes(plan.notes)
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
            f"error: {explain(error)}; {len(submitted)} of {len(plan.to_run)} cases are queued; "
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
    print_notes(plan.notes)
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
