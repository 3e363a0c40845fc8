"""`--status`, `--watch` and `--cancel`: the jobs of a results folder, whenever submitted."""

import sys
from pathlib import Path

from jobs.profile import RESULT_WAIT_S, Profile, load_profiles
from jobs.slurm.cancel import cancel, joined, left_alone, to_cancel
from jobs.slurm.poller import Witness
from jobs.status.case_status import Observation
from jobs.status.tracker import Observer, View
from jobs.terminal.live_view import Look, watch
from jobs.terminal.messages import print_notes
from jobs.terminal.next_steps import CommandLine, print_next_steps
from jobs.terminal.status_table import print_status, some
from study.errors import ConfigError, explain
from study.grid import Grid
from study.paths import check_results
from study.quoting import quoted
from study.storage.ledger import Submission, read
from study.storage.store import Store
from study.text import one_line


class Overseer:
    """All profiles of a results folder that have jobs, or the one that was asked for.

    `auto` asks no Slurm which profile is its own: where it does not answer, there is still a table.

    Args:
        exactly: only the grids' own cases, and not what was submitted of them with some --set.
    """

    def __init__(
        self,
        results: Path,
        cluster: str,
        grids: list[Grid],
        witness: Witness,
        exactly: bool = False,
    ) -> None:
        profiles = load_profiles()
        if results.exists() and not results.is_dir():
            raise ConfigError("--results", f"{results} is no folder; name the folder of results")
        if cluster not in ("auto", *profiles):
            raise ConfigError(
                "--cluster", f"{quoted(cluster)} is no profile: {', '.join(profiles)}"
            )
        stores = [Store(results, path.name) for path in sorted(results.glob("*")) if path.is_dir()]
        used = [store for store in stores if store.batches.exists() or store.submissions.exists()]
        self.results = results
        self.profiles = profiles
        self.exactly = exactly
        self.views: dict[str, View] = {}
        self.unreadable: list[Store] = []
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
        self.unreadable = []
        for store in self.stores:
            try:
                view = self.views[store.profile] = self.observer(store).look()
            except OSError as error:
                self.unreadable.append(store)
                notes.append(f"{explain(error)}; left out")
                continue
            observations += [o for o in view.observations.values() if self._is_asked_for(o)]
            notes += view.notes
            notes += [f"job {job} is ours, but its batch file is gone" for job in view.orphans]
        every = (o for view in self.views.values() for o in view.observations.values())
        return Look(observations, notes, is_blocked=any(o.is_live and o.is_stuck for o in every))

    def observer(self, store: Store) -> Observer:
        """Return who looks at this profile's folder, as patiently as the profile says."""
        profile = self.profiles.get(store.profile)
        wait_s = RESULT_WAIT_S if profile is None else profile.result_wait_s
        return Observer(store, self.witness, result_wait_s=wait_s)

    def _is_asked_for(self, seen: Observation) -> bool:
        submission = seen.submission
        return not self.grids or any(
            grid.contains(submission.case) or (not self.exactly and _is_of(grid, submission))
            for grid in self.grids
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
    try:
        events, _ = read(store.submissions)
    except OSError:  # said where it is looked at
        return False
    return any(isinstance(e, Submission) and e.executor == "slurm" for e in events)


def _is_of(grid: Grid, submission: Submission) -> bool:
    """Whether it was submitted as this grid, with whatever `--set`, where none is asked for now."""
    same = not grid.overridden and submission.grid == grid.name
    return same and grid.with_overrides(submission.overrides).contains(submission.case)


def show_status(results: Path, cluster: str, grids: list[Grid]) -> int:
    """Print where every case stands; 1 if one failed or is missing, or if nobody can tell."""
    overseer = Overseer(results, cluster, grids, Witness())
    check_results(results)
    return conclude(overseer, overseer.look())


def watch_jobs(typed: CommandLine) -> int:
    """Show where every case stands until all have ended; the end like `show_status`."""
    overseer = Overseer(typed.results, typed.cluster, [], Witness())
    check_results(typed.results)
    return conclude(overseer, watch(overseer.look), typed)


def conclude(overseer: Overseer, seen: Look, typed: CommandLine | None = None) -> int:
    """Print where every case stands; 1 if one failed or is missing, or if nobody can tell.

    Args:
        typed: what a person asked for, who wants to know what to do next.
    """
    print_notes(seen.notes)
    print_status(seen.observations)
    if not seen.observations:
        print(f"Nothing of this was submitted into {overseer.results}.")
    missing = overseer.missing(seen.observations)
    if missing:
        print(f"not submitted: {some(missing)}")
    if typed is not None:
        print_next_steps(seen.observations, typed)
    # The watch is over: what has no outcome now waits for a person.
    good = ("ok",) if typed is not None else ("ok", None)
    failed = any(o.outcome not in good for o in seen.observations)
    is_unknown = overseer.witness.problem is not None or bool(overseer.unreadable)
    return int(failed or bool(missing) or is_unknown)


def cancel_jobs(results: Path, cluster: str, grids: list[Grid]) -> int:
    """Cancel the jobs of the grids' cases that are queued or running."""
    overseer = Overseer(results, cluster, grids, Witness())
    check_results(results)
    seen = overseer.look()
    if overseer.witness.problem is not None:
        raise ConfigError("nothing was cancelled", overseer.witness.problem)
    print_notes(seen.notes)
    cancelled: list[Submission] = []
    remaining: list[str] = []
    for store in overseer.stores:
        if store in overseer.unreadable:
            continue
        asked = [o for o in seen.observations if o.profile == store.profile]
        chosen = to_cancel(asked, overseer.views[store.profile], store.token)
        jobs = cancel(chosen, overseer.witness)
        overseer.look()  # keeps what Slurm says of them now
        if overseer.witness.problem is None:
            # Of an array's element that never started, Slurm may keep no record.
            batches = {submission.batch for submission in jobs}
            pending = (o for o in asked if o.state == "PENDING" and o.submission.is_element)
            dropped = [o for o in pending if o.submission.batch in batches]
            overseer.observer(store).note_cancelled(dropped)
        cancelled += jobs
        remaining += left_alone(asked, store.token)
    print(
        f"cancelled: {len(cancelled)}" + (f" ({' '.join(joined(cancelled))})" if cancelled else "")
    )
    for line in remaining:
        print(one_line(line), file=sys.stderr)
    return int(bool(remaining))
