"""Content of a results folder: results, submissions and progress, read from JSON alone."""

import os
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from pathlib import Path

from predict.forecast.pairs import Pair, pairs_of
from report.data.hosts import clusters, shared_hosts
from study.case import Case
from study.models import KINDS
from study.outcome import Outcome
from study.results.file import read_result
from study.results.result import Result
from study.results.validation import ResultError
from study.storage.ledger import Attempt, Submission, attempts_of_each_case, read
from study.storage.progress import read_progress
from study.storage.store import Store

Complain = Callable[[str], None]
_OF_A_RESULT = re.compile(
    rf"(calibration-)?(({'|'.join(KINDS)})-)?(d\d+-)?g\d+-[0-9a-f]{{8}}\.json"
)
NOT_SUBMITTED = "not submitted"


@dataclass(frozen=True)
class ProfileResults:
    """Results, submissions and attempts of one profile.

    `shared_hosts` has the hosts of a case on which another job ran at the same time, of this
    profile or of another one with the same GPUs. Calibrations are apart: no table of steps has one.
    """

    store: Store
    results: dict[Case, Result] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    submissions: list[Submission] = field(default_factory=list)
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    shared_hosts: dict[Case, tuple[str, ...]] = field(default_factory=dict)
    calibrations: dict[Case, Result | None] = field(default_factory=dict)

    @property
    def profile(self) -> str:
        """The name of the profile."""
        return self.store.profile

    @cached_property
    def cases(self) -> dict[Case, None]:
        """Every case that was submitted or has a result, once, in a stable order."""
        return dict.fromkeys([*(s.case for s in self.submissions), *self.results])

    @cached_property
    def pairs(self) -> dict[Case, Pair]:
        """The prediction of each case from before the job that measured it."""
        known = (*self.results.values(), *self.calibrations.values())
        results = {result.case_id: result for result in known if result is not None}
        return {pair.case: pair for pair in pairs_of(self.submissions, results)}

    def why_unpredicted(self, case: Case) -> str:
        """Return why a measured case had no prediction; empty if none was to be made."""
        result = self.results.get(case)
        submitted = self.attempts.get(case.case_id, ())
        if result is None or case in self.pairs:
            return ""
        mine = (a.submission for a in submitted)
        found = [s for s in mine if s.submitted_at == result.job.submitted_at]
        return found[-1].no_prediction if found else ""

    @cached_property
    def repeats(self) -> defaultdict[Case, list[Case]]:
        """The cases of each configuration, sorted by repeat."""
        found: defaultdict[Case, list[Case]] = defaultdict(list)
        for case in sorted(self.cases, key=lambda case: case.repeat):
            found[case.configuration].append(case)
        return found

    def reason(self, case: Case) -> str:
        """Return why the case has no result, as far as the folder tells."""
        if case.case_id in self.unreadable:
            return "its result file cannot be read"
        if case.case_id not in self.attempts:
            return NOT_SUBMITTED
        newest = self.attempts[case.case_id][-1]
        job = newest.submission.job_id
        if newest.ended is not None:
            return f"{newest.ended.outcome}: {newest.ended.reason} (job {job})"
        progress = read_progress(self.store.progress_path(case, newest.submission.batch))
        seen = f"last seen at {progress}" if progress is not None else "not started"
        return f"no result yet (job {job}, {seen}); submit.py --status asks what became of it"

    def outcome(self, case: Case) -> Outcome | None:
        """Return the outcome from the case's result, else from the ledger; None if unknown."""
        if case in self.results:
            return self.results[case].outcome
        newest = self.attempts[case.case_id][-1] if case.case_id in self.attempts else None
        return newest.ended.outcome if newest is not None and newest.ended is not None else None


def load_results(results: Path, complain: Complain) -> list[ProfileResults]:
    """Read the results of every profile; complain of each unreadable file and go on.

    `results` may be the folder of one profile, too.
    """
    folders = sorted(path for path in results.absolute().glob("*") if path.is_dir())
    if _is_profile(results):
        folders = [results.absolute()]
    profiles = [_load_profile(Store(folder.parent, folder.name), complain) for folder in folders]
    _note_shared_hosts(profiles)
    return [p for p in profiles if p.results or p.submissions or p.unreadable or p.calibrations]


def _note_shared_hosts(profiles: list[ProfileResults]) -> None:
    jobs = {
        (i, case): result
        for i, profile in enumerate(profiles)
        for case, result in (*profile.results.items(), *profile.calibrations.items())
        if result is not None
    }
    numbers = range(len(profiles))
    found = clusters([result for (i, _), result in jobs.items() if i == n] for n in numbers)
    cluster_of = {job: found[job[0]] for job in jobs}
    for (i, case), hosts in shared_hosts(jobs, cluster_of).items():
        profiles[i].shared_hosts[case] = hosts


def _is_profile(folder: Path) -> bool:
    """Return True for the folder of one profile."""
    names = (path.name for path in folder.glob("*-g*-????????.json"))
    return (folder / "submissions.jsonl").exists() or any(map(_OF_A_RESULT.fullmatch, names))


def _load_profile(store: Store, complain: Complain) -> ProfileResults:
    results: dict[Case, Result] = {}
    unreadable: dict[str, str] = {}
    if not os.access(store.folder, os.R_OK | os.X_OK):
        complain(f"{store.folder} cannot be read: no permission; left out")
    for path in sorted(store.folder.glob("*.json"), key=attrgetter("name")):
        try:
            result = read_result(path)
            if path.stem != result.case_id:
                raise ResultError(f"holds the result of {result.case_id}; name it so")
            results[result.case] = result
        except OSError as error:
            unreadable[path.stem] = str(error)
            complain(f"{path} cannot be read: {error.strerror}; left out")
        except ResultError as error:
            unreadable[path.stem] = str(error)
            complain(f"{path} {error}; left out")
    try:
        events, broken = read(store.submissions)
    except OSError as error:
        events, broken = [], 0
        complain(f"{store.submissions} cannot be read: {error.strerror}; left out")
    if broken:
        complain(f"{store.submissions}: lines that cannot be read: {broken}; left out")
    submissions = [e for e in events if isinstance(e, Submission) and e.is_of_this_version]
    cases = dict.fromkeys([*(s.case for s in submissions), *results])
    calibrations = {case: results.pop(case, None) for case in cases if case.is_calibration}
    return ProfileResults(
        store,
        results,
        unreadable,
        [submission for submission in submissions if not submission.case.is_calibration],
        attempts_of_each_case(events),
        calibrations=calibrations,
    )
