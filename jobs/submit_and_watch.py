"""`--grid G --watch`: submit what is missing, stay until all has ended, and say what is next."""

import sys
from collections.abc import Callable
from dataclasses import replace

from jobs.launch import launch, submit_again
from jobs.lock import Busy
from jobs.monitor import Overseer, conclude
from jobs.order import Order
from jobs.slurm.bad_nodes import keep_away
from jobs.slurm.commands import NoAnswer
from jobs.slurm.layout import nodes_of
from jobs.status.case_status import Observation
from jobs.terminal.live_view import Look, watch
from study.errors import ConfigError, explain
from study.outcome import RETRIED

Attempted = tuple[str, str]  # a batch and a case id


def submit_and_watch(order: Order) -> int:
    """Submit, watch, and end like `--status`; without Slurm the cases run here meanwhile."""
    results = order.store.folder.parent
    overseer = Overseer(results, order.profile.name, order.grids, order.witness, exactly=True)
    # What failed before, and does not run again now, was not asked for.
    before = _failures(overseer.look().observations) if overseer.stores else set()
    status = launch(order)
    overseer = Overseer(results, order.profile.name, order.grids, order.witness, exactly=True)
    try:
        seen = watch(_looking(order, overseer, before)) if order.on_slurm else overseer.look()
        return max(status, conclude(overseer, seen, order.typed))
    except (ConfigError, OSError) as error:  # the jobs are queued, so this is no 2
        print(f"error: {explain(error)}; the jobs go on: watch them with --watch", file=sys.stderr)
        return 1


def _failures(observations: list[Observation]) -> set[Attempted]:
    """Return the attempts that `--retries` is about."""
    ended = (o.submission for o in observations if o.outcome in RETRIED)
    return {(submission.batch, submission.case_id) for submission in ended}


def _looking(order: Order, overseer: Overseer, considered: set[Attempted]) -> Callable[[], Look]:
    """Return a look at all cases that also keeps jobs from bad nodes and retries what failed."""
    choice = replace(order.choice, force=False, only=RETRIED, by_itself=True)
    again = replace(order, choice=choice)
    kept_away: set[tuple[str, str]] = set()
    said: list[str] = []

    def look() -> Look:
        seen = overseer.look()
        said.extend(_keep_away(order, overseer, kept_away))
        failed = _failures(seen.observations)
        if not order.choice.retries or failed <= considered:
            return seen._replace(notes=[*said, *seen.notes])
        try:
            for new in submit_again(again):
                said.append(f"{new.case_id} is submitted again, as job {new.job_id}")
        except (NoAnswer, Busy) as error:
            return seen._replace(notes=[*said, str(error), *seen.notes], more_to_come=True)
        except (ConfigError, OSError) as error:
            said.append(f"not submitted again: {explain(error)}")
        considered.update(failed)
        seen = overseer.look()
        return seen._replace(notes=[*said, *seen.notes])

    return look


def _keep_away(order: Order, overseer: Overseer, done: set[tuple[str, str]]) -> list[str]:
    """Let waiting jobs no longer go to nodes that fail one after another; what was done, in words.

    Args:
        done: pairs of a job and a node that it was kept from, which this adds to.
    """
    view = overseer.views.get(order.profile.name)
    if view is None:
        return []
    bad, notes = order.nodes_to_leave_out(view)
    any_kept = False
    for seen in view.observations.values():
        if not seen.is_live or not seen.is_marked or seen.state != "PENDING":
            continue
        job = seen.submission.array
        nodes = nodes_of(seen.submission.case, order.profile.gpus_per_node)
        new = [node for node in bad.avoided_by(nodes) if (job, node) not in done]
        any_kept |= bool(new) and keep_away(job, new)
        done.update((job, node) for node in new)
    return notes if any_kept else []
