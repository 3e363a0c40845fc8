"""What lies in a results folder: results, submissions and signs of life, read from JSON alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from study.case import Case
from study.errors import ConfigError
from study.progress import read_progress
from study.result import Result
from study.result_file import ResultError, decode
from study.store import Store
from study.submissions import Ended, Event, Submission, last_of_each_case, read

Complain = Callable[[str], None]


@dataclass(frozen=True)
class Evidence:
    """Everything known of one profile's cases."""

    store: Store
    results: dict[Case, Result] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    submissions: list[Submission] = field(default_factory=list)
    last_event: dict[str, Event] = field(default_factory=dict)

    @property
    def profile(self) -> str:
        return self.store.profile

    def cases(self) -> dict[Case, None]:
        """Every case that was submitted or has a result, in a stable order, once."""
        return dict.fromkeys([*(s.case for s in self.submissions), *self.results])

    def reason(self, case: Case) -> str:
        """Why the case has no result, as far as the folder tells."""
        if case.case_id in self.unreadable:
            return "its result file cannot be read"
        event = self.last_event.get(case.case_id)
        if event is None:
            return "not submitted"
        if isinstance(event, Ended):
            return f"ended without a result: {event.reason}"
        progress = read_progress(self.store.progress_path(case))
        if progress is None or progress.updated_at < event.submitted_at:
            return f"submitted, not started (job {event.job_id})"
        seen = f"{progress} at {progress.updated_at[:19]}Z"
        return f"running when last seen (job {event.job_id}: {seen})"


def load_evidence(results: Path, complain: Complain) -> list[Evidence]:
    """The evidence of every profile; files that cannot be read are named and cost no other."""
    if results.exists() and not results.is_dir():
        raise ConfigError("--results", f"{results} is not a folder; name the folder of results")
    folders = sorted(path for path in results.glob("*") if path.is_dir())
    evidence = [_load_profile(Store(results, folder.name), complain) for folder in folders]
    return [e for e in evidence if e.results or e.submissions or e.unreadable]


def _load_profile(store: Store, complain: Complain) -> Evidence:
    results: dict[Case, Result] = {}
    unreadable: dict[str, str] = {}
    for path in sorted(store.folder.glob("*.json")):
        try:
            result = decode(path.read_bytes())
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
    submissions = [event for event in events if isinstance(event, Submission)]
    return Evidence(store, results, unreadable, submissions, last_of_each_case(events))
