"""`--status`, `--watch` and `--cancel`: the jobs of a results folder, whenever submitted."""

import sys
from dataclasses import replace
from pathlib import Path

from jobs.cancel import cancel, joined
from jobs.judge import Observation
from jobs.launch import Order, submit_again
from jobs.lock import Busy
from jobs.observe import Observer
from jobs.profile import Profile, load_profiles
from jobs.slurm_commands import NoAnswer
from jobs.status import print_status, some
from jobs.watch import Look, watch
from jobs.witness import Witness
from study.errors import ConfigError
from study.grid import Grid
from study.outcome import RETRIED
from study.store import Store
from study.submissions import Submission, read


class Overseer:
    """All profiles of a results folder that have jobs, or the one that was asked for.

    `auto` asks no Slurm which profile is its own: where it does not answer, there is still a table.
    """

    def __init__(self, results: Path, cluster: str, grids: list[Grid], witness: Witness) -> None:
        profiles = load_profiles()
        if results.exists() and not results.is_dir():
            raise ConfigError("--results", f"{results} is no folder; name the folder of results")
        if cluster not in ("auto", *profiles):
            raise ConfigError("--cluster", f"{cluster!r} is no profile: {', '.join(profiles)}")
        stores = [Store(results, path.name) for path in sorted(results.glob("*")) if path.is_dir()]
        used = [store for store in stores if store.batches.exists() or store.submissions.exists()]
        self.results = results
        self.grids = grids
        self.witness = witness
        self.stores = [store for store in used if cluster in ("auto", store.profile)]
        self.on_slurm = any(_is_on_slurm(store, profiles) for store in self.stores)

    def look(self) -> Look:
        """The observations of the grids' cases, or of all without a grid; and notes."""
        if self.on_slurm:
            self.witness.refresh()
        problem = self.witness.problem
        notes = [] if problem is None else [f"{problem}; shown is what lies on disk"]
        observations: list[Observation] = []
        for store in self.stores:
            view = Observer(store, self.witness).look()
            observations += [o for o in view.observations.values() if self._is_asked_for(o)]
            notes += view.notes
            notes += [f"job {job} is ours, but its batch file is gone" for job in view.orphans]
        return Look(observations, notes)

    def _is_asked_for(self, seen: Observation) -> bool:
        submission = seen.submission
        return not self.grids or any(
            grid.contains(submission.case) or _is_of(grid, submission) for grid in self.grids
        )

    def missing(self, observations: list[Observation]) -> list[str]:
        """The ids of the grids' cases that were never submitted.

        A grid that was only submitted with some `--set` is not missing in its own setting.
        """
        seen = {o.submission.case_id for o in observations}
        ids: dict[str, None] = {}
        for grid in self.grids:
            own = [case.case_id for case in grid.cases()]
            elsewhere = any(_is_of(grid, o.submission) for o in observations)
            if seen & set(own) or not elsewhere:
                ids |= dict.fromkeys(case_id for case_id in own if case_id not in seen)
        return list(ids)


def _is_on_slurm(store: Store, profiles: dict[str, Profile]) -> bool:
    if store.profile in profiles:
        return profiles[store.profile].executor == "slurm"
    events, _ = read(store.submissions)
    return any(isinstance(e, Submission) and e.executor == "slurm" for e in events)


def _is_of(grid: Grid, submission: Submission) -> bool:
    """Whether it was submitted as this grid, with whatever `--set`, where none is asked for now."""
    same = not grid.overridden and submission.grid == grid.name
    return same and grid.with_overrides(submission.overrides).contains(submission.case)


def show_status(results: Path, cluster: str, grids: list[Grid]) -> int:
    """Print where every case stands; 1 if one failed or is missing, or if nobody can tell."""
    overseer = Overseer(results, cluster, grids, Witness())
    return _conclude(overseer, overseer.look())


def watch_jobs(results: Path, cluster: str, grids: list[Grid]) -> int:
    """Show where every case stands until all have ended; the end like `show_status`."""
    overseer = Overseer(results, cluster, grids, Witness())
    return _conclude(overseer, watch(overseer.look))


def watch_and_retry(order: Order) -> int:
    """Watch, and submit failures of nodes and time-outs again as soon as they are seen."""
    again = replace(order, choice=replace(order.choice, only=RETRIED))
    results = order.store.folder.parent
    overseer = Overseer(results, order.profile.name, order.grids, order.witness)
    considered: set[tuple[str, str]] = set()
    said: list[str] = []

    def look() -> Look:
        seen = overseer.look()
        ended = (o.submission for o in seen.observations if o.outcome in RETRIED)
        failed = {(submission.batch, submission.case_id) for submission in ended}
        if failed <= considered:
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

    return _conclude(overseer, watch(look))


def _conclude(overseer: Overseer, seen: Look) -> int:
    for note in seen.notes:
        print(f"note: {note}", file=sys.stderr)
    print_status(seen.observations)
    if not seen.observations:
        print(f"Nothing of this was submitted into {overseer.results}.")
    missing = overseer.missing(seen.observations)
    if missing:
        print(f"not submitted: {some(missing)}")
    failed = any(o.outcome not in (None, "ok") for o in seen.observations)
    return int(failed or bool(missing) or overseer.witness.problem is not None)


def cancel_jobs(results: Path, cluster: str, grids: list[Grid]) -> int:
    """Cancel the jobs of the grids' cases that are queued or running."""
    overseer = Overseer(results, cluster, grids, Witness())
    seen = overseer.look()
    if overseer.witness.problem is not None:
        raise ConfigError("nothing was cancelled", overseer.witness.problem)
    for note in seen.notes:
        print(f"note: {note}", file=sys.stderr)
    cancelled: list[Observation] = []
    for store in overseer.stores:
        cancelled += cancel(
            [o for o in seen.observations if o.profile == store.profile], store.token
        )
    overseer.look()  # keeps what Slurm says of them now
    for store in overseer.stores if overseer.witness.problem is None else ():
        # Of an array's element that never started, Slurm may keep no record.
        elements = [o for o in cancelled if o.state == "PENDING" and o.submission.is_element]
        ours = [o for o in elements if o.profile == store.profile]
        Observer(store, overseer.witness).note_cancelled(ours)
    ids = joined([o.submission for o in cancelled])
    print(f"cancelled: {len(cancelled)}" + (f" ({' '.join(ids)})" if ids else ""))
    return 0
