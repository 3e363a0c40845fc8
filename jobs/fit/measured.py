"""Layers of models of one's own, as earlier jobs and calibrations of a folder measured them."""

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
        wanted = _key(case, case.gradients, in_two_parts=case.schedule in IN_TWO_PARTS)
        for result in self._results(case):
            for key, model in _models(result):
                rank = not result.emulated, model.rows == rows
                if key == wanted and (best is None or rank > best[0]):
                    best = rank, model
        if best is None:
            return Layers(unknown=_unknown(case))
        return Layers(scaled(best[1], rows), off=0.0 if all(best[0]) else OFF)

    def _results(self, case: Case) -> list[Result]:
        key = case.kind, case.depth
        if key not in self._found:
            name = f"{case.kind}-d{case.depth}-g"
            self._found[key] = [*self._read(f"{name}*.json"),
                                *self._read(f"calibration-{name}1-*.json")]  # fmt: skip
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


def _models(result: Result) -> Iterator[tuple[Hashable, ModelProfile]]:
    """Yield the layers that a job has measured, with what they hold for."""
    case = result.case
    if result.model is not None:
        key = _key(case, case.gradients, in_two_parts=case.schedule in IN_TWO_PARTS)
        yield key, result.model
    for sizes in result.calibration.sizes if result.calibration is not None else ():
        for in_two_parts in {False, sizes.in_two_parts}:
            yield _key(case, sizes.gradients, in_two_parts=in_two_parts), sizes.model


def _key(case: Case, gradients: str, *, in_two_parts: bool) -> Hashable:
    """Return what two cases have in common whose layers take the same for as many rows.

    Args:
        case: of a model.
        gradients: separate or fused.
        in_two_parts: whether backward is.
    """
    return (
        case.kind,
        case.depth,
        given(case.factory),
        given(case.sha256),
        case.args,
        case.dtype,
        case.recompute,
        gradients,
        in_two_parts,
    )


def _unknown(case: Case) -> str:
    return (
        f"no job has measured the layers of {given(case.factory)} yet, as this case would run "
        "them; a calibration does, and python -m mp --inspect tells about how much they take"
    )
