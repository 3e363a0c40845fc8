"""Show, watch and cancel the jobs of a results folder, whenever they were submitted."""

import sys
from pathlib import Path

from jobs.executor import Cancellation, Poller
from jobs.executors import make_pollers
from jobs.profile import RESULT_WAIT_S
from jobs.profiles import load_profiles
from jobs.status.case_status import CaseStatus, Snapshot, join_ids
from jobs.status.tracker import JobTracker
from jobs.terminal.live_view import Overview, watch
from jobs.terminal.messages import print_notes
from jobs.terminal.next_steps import CommandLine, print_next_steps
from jobs.terminal.status_table import first_few, print_status
from study.errors import ConfigError, explain
from study.grids.grid import Grid
from study.paths import check_results
from study.quoting import quoted
from study.storage.ledger import Submission, read
from study.storage.store import Store
from study.text import one_line


class Monitor:
    """Follows all profiles of a results folder that have jobs, or the one that was asked for.

    With `auto`, no Slurm is asked which profile is its own: the table is shown without its answer.

    Args:
        results: the folder of all profiles.
        cluster: a profile, or `auto`.
        grids: only their cases; all cases if empty.
        pollers: by the name of their executor.
        exactly: only the grids' own cases, and not what was submitted of them with some --set.

    Raises:
        ConfigError: there is no such folder or profile.
    """

    def __init__(
        self,
        results: Path,
        cluster: str,
        grids: list[Grid],
        pollers: dict[str, Poller] | None = None,
        exactly: bool = False,
    ) -> None:
        profiles = load_profiles()
        if results.exists() and not results.is_dir():
            raise ConfigError("--results", f"{results} is no folder; name the folder of results")
        if cluster not in ("auto", *profiles):
            problem = f"{quoted(cluster)} is no profile: {', '.join(profiles)}"
            raise ConfigError("--cluster", problem)
        stores = [Store(results, path.name) for path in sorted(results.glob("*")) if path.is_dir()]
        used = [store for store in stores if store.batches.exists() or store.submissions.exists()]
        self.results = results
        self.profiles = profiles
        self.exactly = exactly
        self.snapshots: dict[str, Snapshot] = {}
        self.unreadable: list[Store] = []
        self.grids = grids
        self.pollers = make_pollers() if pollers is None else pollers
        self.stores = [store for store in used if cluster in ("auto", store.profile)]
        self._executors = {name for store in self.stores for name in self._executors_of(store)}

    def _executors_of(self, store: Store) -> set[str]:
        if store.profile in self.profiles:
            return {self.profiles[store.profile].executor}
        try:
            events, _ = read(store.submissions)
        except OSError:  # said where it is looked at
            return set()
        return {event.executor for event in events if isinstance(event, Submission)}

    @property
    def problems(self) -> list[str]:
        """The reasons for which executors do not answer."""
        return [poller.problem for poller in self.pollers.values() if poller.problem is not None]

    def refresh(self) -> Overview:
        """Return the status of the grids' cases, or of all without a grid; and notes."""
        for name in self._executors & self.pollers.keys():
            self.pollers[name].refresh()
        notes = [f"{problem}; shown is what lies on disk" for problem in self.problems]
        statuses: list[CaseStatus] = []
        self.unreadable = []
        for store in self.stores:
            try:
                snapshot = self.snapshots[store.profile] = self.tracker(store).refresh()
            except OSError as error:
                self.unreadable.append(store)
                notes.append(f"{explain(error)}; left out")
                continue
            statuses += [o for o in snapshot.statuses.values() if self._is_asked_for(o)]
            notes += snapshot.notes
            notes += [f"job {job} is ours, but its batch file is gone" for job in snapshot.orphans]
        every = (o for snapshot in self.snapshots.values() for o in snapshot.statuses.values())
        return Overview(statuses, notes, is_blocked=any(o.is_live and o.is_stuck for o in every))

    def tracker(self, store: Store) -> JobTracker:
        """Return what follows this profile's folder, as patiently as the profile says."""
        profile = self.profiles.get(store.profile)
        wait_s = RESULT_WAIT_S if profile is None else profile.result_wait_s
        unasked = self.pollers.keys() - self._executors
        return JobTracker(store, self.pollers, result_wait_s=wait_s, unasked=unasked)

    def cancel(self, store: Store, asked: list[CaseStatus]) -> Cancellation:
        """Cancel the jobs of these cases of one folder, and note their ends.

        Raises:
            ConfigError: the executor refuses.
        """
        jobs, left_alone = [], []
        for name, poller in self.pollers.items():
            own = [status for status in asked if status.submission.executor == name]
            done = poller.cancel(own, self.snapshots[store.profile], store.token)
            if done.jobs:
                self.refresh()  # keeps what Slurm says of them now
            if done.pending and poller.problem is None:
                now = self.snapshots[store.profile].statuses
                gone = [s for s in done.pending if now[s.submission.case_id].state is None]
                self.tracker(store).note_cancelled(gone)
            jobs += done.jobs
            left_alone += done.left_alone
        live = [status.submission for status in asked if status.is_live]
        left_alone += [
            f"not cancelled: {job.job_id}: no executor {job.executor} in this version"
            for job in live
            if job.executor not in self.pollers
        ]
        return Cancellation(jobs, [], left_alone)

    def _is_asked_for(self, seen: CaseStatus) -> bool:
        submission = seen.submission
        return not self.grids or any(
            grid.contains(submission.case) or (not self.exactly and _is_of(grid, submission))
            for grid in self.grids
        )

    def missing(self, statuses: list[CaseStatus]) -> list[str]:
        """Return the ids of the grids' cases that were never submitted.

        A grid that was only submitted with some `--set` is not missing in its own setting.
        """
        seen = {o.submission.case_id for o in statuses}
        ids: dict[str, None] = {}
        for grid in self.grids:
            own = [case.case_id for case in grid.cases()]
            elsewhere = any(_is_of(grid, o.submission) for o in statuses)
            if seen & set(own) or not elsewhere:
                ids |= dict.fromkeys(case_id for case_id in own if case_id not in seen)
        return list(ids)


def _is_of(grid: Grid, submission: Submission) -> bool:
    """Return whether it was submitted as this grid, with any `--set`, if none is asked for now."""
    same = not grid.overridden and submission.grid == grid.name
    return same and grid.with_overrides(submission.overrides).contains(submission.case)


def show_status(monitor: Monitor) -> int:
    """Print the status of every case; return 1 if one failed, is missing or cannot be known."""
    check_results(monitor.results)
    return conclude(monitor, monitor.refresh())


def watch_jobs(typed: CommandLine) -> int:
    """Show the status of every case until all have ended; the end like `show_status`."""
    monitor = Monitor(typed.results, typed.cluster, [])
    check_results(typed.results)
    return conclude(monitor, watch(monitor.refresh), typed)


def conclude(monitor: Monitor, seen: Overview, typed: CommandLine | None = None) -> int:
    """Print the status of every case; return 1 if one failed, is missing or cannot be known.

    Args:
        monitor: whose executors may not answer.
        seen: the cases.
        typed: what a person asked for, who wants to know what to do next.
    """
    print_notes(seen.notes)
    print_status(seen.statuses)
    if not seen.statuses:
        print(f"Nothing of this was submitted into {monitor.results}.")
    missing = monitor.missing(seen.statuses)
    if missing:
        print(f"not submitted: {first_few(missing)}")
    if typed is not None:
        print_next_steps(seen.statuses, typed)
    # The watch is over: what has no outcome now waits for a person.
    good = ("ok",) if typed is not None else ("ok", None)
    failed = any(o.outcome not in good for o in seen.statuses)
    is_unknown = bool(monitor.problems or monitor.unreadable)
    return int(failed or bool(missing) or is_unknown)


def cancel_jobs(monitor: Monitor) -> int:
    """Cancel the jobs of the grids' cases that are queued or running; 1 if some are left alone.

    Raises:
        ConfigError: an executor does not answer, or refuses.
    """
    check_results(monitor.results)
    seen = monitor.refresh()
    if monitor.problems:
        raise ConfigError("nothing was cancelled", monitor.problems[0])
    print_notes(seen.notes)
    cancelled: list[Submission] = []
    remaining: list[str] = []
    for store in monitor.stores:
        if store not in monitor.unreadable:
            asked = [o for o in seen.statuses if o.profile == store.profile]
            done = monitor.cancel(store, asked)
            cancelled += done.jobs
            remaining += done.left_alone
    ids = f" ({' '.join(join_ids(cancelled))})" if cancelled else ""
    print(f"cancelled: {len(cancelled)}{ids}")
    for line in remaining:
        print(one_line(line), file=sys.stderr)
    return int(bool(remaining))
