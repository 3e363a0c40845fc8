"""`--grid G --watch`: submit what is missing, stay until all has ended, and say what is next."""

from collections.abc import Callable
from dataclasses import replace

from jobs.bad_nodes import keep_away
from jobs.launch import Order, launch, submit_again
from jobs.lock import Busy
from jobs.oversee import Overseer, conclude
from jobs.slurm_commands import NoAnswer
from jobs.watch import Look, watch
from study.errors import ConfigError
from study.outcome import RETRIED


def submit_and_watch(order: Order) -> int:
    """Submit, watch, and end like `--status`; without Slurm the cases run here meanwhile."""
    launch(order)
    results = order.store.folder.parent
    overseer = Overseer(results, order.profile.name, order.grids, order.witness)
    seen = watch(_looking(order, overseer)) if order.on_slurm else overseer.look()
    return conclude(overseer, seen, order.typed)


def _looking(order: Order, overseer: Overseer) -> Callable[[], Look]:
    """Return a look at all cases that also keeps jobs from bad nodes and retries what failed."""
    again = replace(order, choice=replace(order.choice, force=False, only=RETRIED))
    considered: set[tuple[str, str]] = set()
    kept_away: set[tuple[str, str]] = set()
    said: list[str] = []

    def look() -> Look:
        seen = overseer.look()
        said.extend(_keep_away(order, overseer, kept_away))
        ended = (o.submission for o in seen.observations if o.outcome in RETRIED)
        failed = {(submission.batch, submission.case_id) for submission in ended}
        if not order.choice.retries or failed <= considered:
            return Look(seen.observations, [*said, *seen.notes])
        try:
            for new in submit_again(again):
                said.append(f"{new.case_id} is submitted again, as job {new.job_id}")
        except (NoAnswer, Busy) as error:
            return Look(seen.observations, [*said, str(error), *seen.notes], more_to_come=True)
        except ConfigError as error:
            said.append(str(error))
        considered.update(failed)
        seen = overseer.look()
        return Look(seen.observations, [*said, *seen.notes])

    return look


def _keep_away(order: Order, overseer: Overseer, done: set[tuple[str, str]]) -> list[str]:
    """Let waiting jobs no longer go to nodes that fail one after another; what was done, in words.

    Args:
        done: pairs of a job and the nodes that it was kept from, which this adds to.
    """
    view = overseer.views.get(order.profile.name)
    bad, notes = order.nodes_to_leave_out(view) if view is not None else ([], [])
    if view is None or not bad:
        return []
    nodes = ",".join(filter(None, [*bad, order.profile.nodes_left_out]))
    pending = [o for o in view.observations.values() if o.is_live and o.state == "PENDING"]
    jobs = {o.submission.array for o in pending} - {job for job, kept in done if kept == nodes}
    keep_away(sorted(jobs), nodes)
    done.update((job, nodes) for job in jobs)
    return notes if jobs else []
