"""`--grid G --watch`: submit what is missing, stay until all has ended, and say what is next."""

import sys
from collections.abc import Callable
from dataclasses import replace

from jobs.executor import NoAnswer
from jobs.launch import launch, submit_again
from jobs.lock import Busy
from jobs.monitor import Monitor, conclude
from jobs.order import SubmitOrder
from jobs.status.case_status import CaseStatus
from jobs.terminal.live_view import Overview, watch
from study.errors import ConfigError, explain
from study.outcome import RETRIED

Attempted = tuple[str, str]  # a batch and a case id


def submit_and_watch(order: SubmitOrder) -> int:
    """Submit, watch, and end like `--status`; without Slurm the cases run here meanwhile."""
    results = order.store.folder.parent
    monitor = Monitor(results, order.profile.name, order.grids, order.pollers, exactly=True)
    # What failed before, and does not run again now, was not asked for.
    before = _failures(monitor.refresh().statuses) if monitor.stores else set()
    status = launch(order)
    monitor = Monitor(results, order.profile.name, order.grids, order.pollers, exactly=True)
    try:
        in_background = order.executor.in_background
        seen = watch(_looking(order, monitor, before)) if in_background else monitor.refresh()
        return max(status, conclude(monitor, seen, order.typed))
    except (ConfigError, OSError) as error:  # the jobs are queued, so this is no 2
        print(f"error: {explain(error)}; the jobs go on: watch them with --watch", file=sys.stderr)
        return 1


def _failures(statuses: list[CaseStatus]) -> set[Attempted]:
    """Return the attempts that `--retries` is about."""
    ended = (o.submission for o in statuses if o.outcome in RETRIED)
    return {(submission.batch, submission.case_id) for submission in ended}


def _looking(
    order: SubmitOrder, monitor: Monitor, considered: set[Attempted]
) -> Callable[[], Overview]:
    """Return a function that looks at all cases, keeps jobs from bad nodes and retries failures."""
    policy = replace(order.policy, force=False, only=RETRIED, by_itself=True)
    again = replace(order, policy=policy)
    kept_away: set[tuple[str, str]] = set()
    said: list[str] = []

    def look() -> Overview:
        seen = monitor.refresh()
        said.extend(_keep_away(order, monitor, kept_away))
        failed = _failures(seen.statuses)
        if not order.policy.retries or failed <= considered:
            return seen._replace(notes=[*said, *seen.notes])
        try:
            for new in submit_again(again):
                said.append(f"{new.case_id} is submitted again, as job {new.job_id}")
        except (NoAnswer, Busy) as error:
            return seen._replace(notes=[*said, str(error), *seen.notes], more_to_come=True)
        except (ConfigError, OSError) as error:
            said.append(f"not submitted again: {explain(error)}")
        considered.update(failed)
        seen = monitor.refresh()
        return seen._replace(notes=[*said, *seen.notes])

    return look


def _keep_away(order: SubmitOrder, monitor: Monitor, done: set[tuple[str, str]]) -> list[str]:
    """Keep waiting jobs from nodes that fail one case after another, and return notes on it.

    It adds to `done`, pairs of a job and a node that it was kept from.
    """
    snapshot = monitor.snapshots.get(order.profile.name)
    if snapshot is None:
        return []
    bad, notes = order.nodes_to_leave_out(snapshot)
    any_kept = False
    for seen in snapshot.statuses.values():
        if not seen.is_live or not seen.is_marked or seen.state != "PENDING":
            continue
        job = seen.submission.array
        nodes = order.executor.nodes_of(seen.submission.case)
        new = [node for node in bad.avoided_by(nodes) if (job, node) not in done]
        any_kept |= bool(new) and order.executor.keep_away(job, new)
        done.update((job, node) for node in new)
    return notes if any_kept else []
