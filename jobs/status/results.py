"""Results of attempts: which file holds one, and what it says of the attempt's end."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jobs.batch import Assignment
from jobs.planned import PlannedCase
from study.outcome import Outcome
from study.results.file import read_result
from study.results.validation import ResultError
from study.storage.ledger import Submission
from study.storage.store import Store


@dataclass(frozen=True)
class ResultHead:
    """A result file without its measurement.

    Attributes:
        why: why the case failed.
        submitted_at: of the attempt that left it.
        lost_a_rank: it only says that a rank fell silent; the executor may know why.
        problem: why the file is no result; None if it is one.
    """

    path: Path
    outcome: Outcome
    why: str = ""
    submitted_at: str | None = None
    lost_a_rank: bool = False
    problem: str | None = None


class ResultFiles:
    """Result files, each read once; their measurements are not kept."""

    def __init__(self) -> None:
        self._heads: dict[Path, ResultHead | None] = {}

    def head_of(self, path: Path) -> ResultHead | None:
        """Return what the file says; None where there is none."""
        if path not in self._heads:
            self._heads[path] = _read_head(path)
        return self._heads[path]

    def of_attempt(self, store: Store, attempt: Submission | Assignment) -> ResultHead | None:
        """Return what this very attempt left; what is no result is in the place of one."""
        failed = store.failed_path(attempt.case, attempt.batch)
        for path in (store.result_path(attempt.case), failed):
            head = self.head_of(path)
            if head is not None and (head.problem or head.submitted_at == attempt.submitted_at):
                return head
        return None

    def put_aside(self, store: Store, attempt: Submission) -> None:
        """Move the result of this very attempt away, and no other: something else knows more."""
        head = self.of_attempt(store, attempt)
        if head is not None and not head.problem:
            with suppress(OSError):
                store.move_aside(attempt.case, head.path)
            del self._heads[head.path]


def _read_head(path: Path) -> ResultHead | None:
    try:
        result = read_result(path)
    except FileNotFoundError:
        return None
    except (ResultError, OSError) as error:
        problem = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        return ResultHead(path, "error", f"its result file {problem}", problem=problem)
    why, submitted_at = result.why_failed or "", result.job.submitted_at
    return ResultHead(path, result.outcome, why, submitted_at, result.lost_a_rank)


def is_measured(path: Path) -> bool:
    """Return whether a measurement is in this file."""
    head = _read_head(path)
    return head is not None and head.outcome == "ok"


def archive_old_results(batch: list[PlannedCase], store: Store) -> list[Path | None]:
    """Move old failures aside and return where they are now; measurements stay in place."""
    return [
        None if is_measured(store.result_path(planned.case)) else store.put_aside(planned.case)
        for planned in batch
    ]
