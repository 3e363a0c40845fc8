"""`--status`, `--watch` and `--cancel`: the jobs of a results folder, whenever submitted."""

import sys
from dataclasses import replace
from pathlib import Path

from jobs.cancel import cancel, joined
from jobs.judge import Observation
from jobs.launch import Order, check, submissions
from jobs.lock import only_one
from jobs.observe import Observer
from jobs.plan import to_run
from jobs.profile import Profile, load_profiles
from jobs.status import print_status
from jobs.watch import Look, watch
from study.errors import ConfigError
from study.grid import Grid
from study.outcome import RETRIED
from study.store import Store
from study.submissions import Submission, read


class Overseer:
    """All profiles of a results folder that have jobs, or the one that was asked for.

    `auto` asks no Slurm which profile is its own: where it does not answer, there is still a table.
    """

    def __init__(self, results: Path, cluster: str, grids: list[Grid]) -> None:
        self.grids = grids
        profiles = load_profiles()
        if cluster not in ("auto", *profiles):
            raise ConfigError("--cluster", f"{cluster!r} is no profile: {', '.join(profiles)}")
        stores = [Store(results, path.name) for path in sorted(results.glob("*")) if path.is_dir()]
        self.observers = [
            Observer(store, on_slurm=_is_on_slurm(store, profiles))
            for store in stores
            if cluster in ("auto", store.profile) and store.batches.exists()
        ]

    @property
    def problems(self) -> list[str]:
        """Why Slurm did not answer at the last look."""
        problems = (observer.witness.problem for observer in self.observers)
        return [problem for problem in problems if problem is not None]

    def look(self) -> Look:
        """The observations of the grids' cases, or of all without a grid; and notes."""
        observations: list[Observation] = []
        notes: list[str] = []
        for observer in self.observers:
            view = observer.look()
            observations += [o for o in view.observations.values() if self._is_asked_for(o)]
            notes += view.notes
            notes += [f"job {job} is ours, but its batch file is gone" for job in view.orphans]
        return observations, notes

    def _is_asked_for(self, seen: Observation) -> bool:
        submission = seen.submission
        return not self.grids or any(
            grid.contains(submission.case) or _is_of(grid, submission) for grid in self.grids
        )

    def missing(self, observations: list[Observation]) -> list[str]:
        """The ids of the grids' cases that were never submitted."""
        seen = {o.submission.case_id for o in observations}
        ids = dict.fromkeys(case.case_id for grid in self.grids for case in grid.cases())
        return [case_id for case_id in ids if case_id not in seen]


def _is_on_slurm(store: Store, profiles: dict[str, Profile]) -> bool:
    if store.profile in profiles:
        return profiles[store.profile].executor == "slurm"
    events, _ = read(store.submissions)
    return any(isinstance(e, Submission) and e.executor == "slurm" for e in events)


def _is_of(grid: Grid, submission: Submission) -> bool:
    """Whether it was submitted as this grid, with whatever `--set`, where none is asked for now."""
    return not grid.overridden and submission.grid == grid.name


def show_status(results: Path, cluster: str, grids: list[Grid]) -> int:
    """Print where every case stands; 1 if one failed, or if nobody can tell."""
    overseer = Overseer(results, cluster, grids)
    observations, notes = overseer.look()
    return _conclude(overseer, observations, notes)


def watch_jobs(results: Path, cluster: str, grids: list[Grid]) -> int:
    """Show where every case stands until all have ended; the end like `show_status`."""
    overseer = Overseer(results, cluster, grids)
    return _conclude(overseer, *watch(overseer.look))


def watch_and_retry(order: Order) -> int:
    """Watch, and submit failures of nodes and time-outs again as soon as they are seen."""
    overseer = Overseer(order.store.folder.parent, order.profile.name, order.grids)

    def look() -> Look:
        again = replace(order, choice=replace(order.choice, only=RETRIED))
        items = to_run(again.plan())
        if items:
            check(again, items)
            with only_one(order.store):
                list(submissions(again, items))
        return overseer.look()

    return _conclude(overseer, *watch(look))


def _conclude(overseer: Overseer, observations: list[Observation], notes: list[str]) -> int:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    print_status(observations)
    missing = overseer.missing(observations)
    if missing:
        print(f"not submitted: {', '.join(missing)}")
    return int(bool(missing or notes) or any(o.outcome not in (None, "ok") for o in observations))


def cancel_jobs(results: Path, cluster: str, grids: list[Grid]) -> int:
    """Cancel the jobs of the grids' cases that are queued or running."""
    overseer = Overseer(results, cluster, grids)
    observations, notes = overseer.look()
    if overseer.problems:
        raise ConfigError("squeue", f"{overseer.problems[0]}; nothing was cancelled")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    cancelled = cancel(observations)
    for observer in overseer.observers:
        # Slurm keeps no record of an array's element that never started.
        observer.note_cancelled(
            [o for o in cancelled if o.state == "PENDING" and "_" in o.submission.job_id]
        )
    ids = joined([o.submission.job_id for o in cancelled])
    print(f"cancelled {len(cancelled)} jobs" + (f": {' '.join(ids)}" if ids else ""))
    return 0
