"""Layers of models of one's own, as earlier jobs of the same results folder measured them."""

from collections.abc import Hashable, Iterator
from itertools import islice

from predict.memory.fit import Layers
from predict.memory.scaled import scaled
from study.case import Case, given
from study.results.file import read_result
from study.results.layers import ModelProfile
from study.results.result import Result
from study.results.validation import ResultError
from study.schedules import IN_TWO_PARTS
from study.storage.store import Store

MOST_READ = 30  # results of one model; the newest
OFF = 0.1  # what memory may be too high, as a share, by layers with other rows or of a CPU


class MeasuredLayers:
    """Layers by the model of a case, each result of a folder read once.

    Args:
        store: the folder.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._found: dict[tuple[str, int], list[Result]] = {}

    def of(self, case: Case) -> Layers:
        """Return the layers of a case's model, with the rows of its parts of the batch.

        Those that a GPU measured with as many rows are sure; others are estimates.
        """
        rows = case.batch_size // case.parts
        best: tuple[tuple[bool, bool], ModelProfile] | None = None
        for result in self._results(case):
            model = result.model
            if model is None or _key(result.case) != _key(case):
                continue
            rank = not result.emulated, model.rows == rows
            if best is None or rank > best[0]:
                best = rank, model
        if best is None:
            return Layers(unknown=_unknown(case))
        return Layers(scaled(best[1], rows), off=0.0 if all(best[0]) else OFF)

    def _results(self, case: Case) -> list[Result]:
        key = case.kind, case.depth
        if key not in self._found:
            self._found[key] = [*self._read(f"{case.kind}-d{case.depth}-g*.json")]
        return self._found[key]

    def _read(self, names: str) -> Iterator[Result]:
        try:
            found = {path: path.stat().st_mtime for path in self.store.folder.glob(names)}
        except OSError:
            return
        for path in islice(sorted(found, key=lambda path: -found[path]), MOST_READ):
            try:
                yield read_result(path)
            except (ResultError, OSError):
                continue


def _key(case: Case) -> Hashable:
    """Return what two cases have in common whose layers take the same for as many rows."""
    return (
        case.kind,
        case.depth,
        given(case.factory),
        given(case.sha256),
        case.args,
        case.dtype,
        case.recompute,
        case.gradients,
        case.schedule in IN_TWO_PARTS,
    )


def _unknown(case: Case) -> str:
    return (
        f"no job has measured the layers of {given(case.factory)} yet, as this case would run "
        "them; python -m mp --inspect tells about how much they take"
    )
