"""From an order to jobs: look, plan, check, and only then submit."""

import sys
from collections.abc import Iterator

from jobs.executor import NotNoted, Unsure
from jobs.fit.forecast import refuse_what_cannot_fit
from jobs.lock import results_lock
from jobs.order import Plan, SubmitOrder
from jobs.planned import PlannedCase, check_gpu_hours
from jobs.preview.show import print_predictions
from jobs.status.results import ResultFiles
from jobs.terminal.messages import (
    print_how_to_watch,
    print_notes,
    print_plan,
    print_predicted,
    print_request,
    print_submission,
)
from study.errors import ConfigError, explain
from study.storage.ledger import Submission, drop_broken_lines
from study.values.completion import check_unchanged


def launch(order: SubmitOrder) -> int:
    """Submit the cases that are to run; 1 if a case failed, now or before."""
    order.store.check_name()
    first = order.plan(record=False)
    check(order, first.to_run)
    order.store.check_links(first.snapshot.batches)
    order.store.prepare()
    print_notes(order.store.exposed_to())
    with results_lock(order.store):
        plan = plan_again(order)
        print_plan(plan.planned, order.profile, order.fits)
        print_predicted(plan.to_run)
        failed_before = any(planned.failed for planned in plan.planned)
        if order.executor.in_background:
            print_request(plan.to_run, order.profile, order.executor.starts(plan.to_run))
            return max(submit(order, plan), int(failed_before))
        done = [each for batch in submissions(order, plan) for each in batch]
    results = ResultFiles()
    heads = [results.of_attempt(order.store, each) for each in done]
    measured = sum(head is not None and head.outcome == "ok" for head in heads)
    if plan.to_run:
        where = f"results in {order.store.folder}"
        print(f"{measured} of {len(plan.to_run)} cases measured; {where}")
    return int(failed_before or measured < len(plan.to_run))


def plan_again(order: SubmitOrder) -> Plan:
    """Return the plan under the lock: another submit.py may have ended just now."""
    plan = order.plan()
    if plan.snapshot.broken_lines:
        drop_broken_lines(order.store.submissions)  # what they held has been found again
    print_notes(plan.notes)
    check_gpu_hours(plan.to_run, order.profile, order.max_gpu_hours)
    return plan


def check(order: SubmitOrder, planned: list[PlannedCase]) -> None:
    """Refuse what would cost too much or the executor would not take, before anything is written.

    Raises:
        ConfigError: it names what to change.
    """
    check_gpu_hours(planned, order.profile, order.max_gpu_hours)
    check_memory(order, planned)
    order.executor.check(planned)


def check_memory(order: SubmitOrder, planned: list[PlannedCase]) -> None:
    """Refuse cases that cannot fit a GPU, unless a person has decided that they run.

    Raises:
        ConfigError: it names the first of them.
    """
    if not (order.policy.force or order.policy.by_itself):
        refuse_what_cannot_fit(planned, order.fits, order.executor.find_problem, order.grids)


def submit(order: SubmitOrder, plan: Plan) -> int:
    """Submit and say so, batch after batch; 1 if something stopped us on the way.

    Raises:
        ConfigError: nothing was submitted.
    """
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


def submissions(order: SubmitOrder, plan: Plan) -> Iterator[list[Submission]]:
    """Submit what is to run, and yield each batch once it is in the ledger.

    Raises:
        ConfigError: the file of a factory is another than when it was planned.
    """
    for case in {(c.factory, c.sha256): c for c in (each.case for each in plan.to_run)}.values():
        check_unchanged(case)
    if plan.to_run:
        yield from order.executor.submit(plan.to_run, plan.running)


def submit_again(order: SubmitOrder) -> list[Submission]:
    """Submit what the order's policy finds, without a word: for a screen that shows the jobs."""
    with results_lock(order.store):
        plan = order.plan()
        check(order, plan.to_run)
        return [each for batch in submissions(order, plan) for each in batch]


def show_dry_run(order: SubmitOrder) -> int:
    """Print an sbatch script of each kind of job and then the plan, so that it ends the output.

    Raises:
        ConfigError: the plan would be refused; it has been printed.
    """
    order.store.check_name()
    plan = order.plan(record=False, needed=False)
    for title, script in order.executor.scripts(plan.to_run, plan.running):
        print(f"# sbatch script of {title}\n{script}")
    sys.stdout.flush()  # so that notes and errors keep their place where both go into one file
    print_notes(plan.notes)
    print_plan(plan.planned, order.profile, order.fits)
    print_request(plan.to_run, order.profile, order.executor.starts(plan.to_run))
    sys.stdout.flush()
    if not order.predictor.known.is_empty:
        trained = (each.case.configuration for each in plan.planned)
        print_predictions(
            order, [case for case in dict.fromkeys(trained) if not case.is_calibration]
        )
    sys.stdout.flush()
    check_gpu_hours(plan.to_run, order.profile, order.max_gpu_hours)
    check_memory(order, plan.to_run)
    print("Dry run: nothing was submitted.")
    return 0
