"""A folder of results as predictions need it: calibrations, and errors of earlier ones."""

from collections.abc import Callable, Iterable
from pathlib import Path

from jobs.profile import Profile
from predict.forecast.intervals import Residuals
from predict.forecast.matching import Known
from predict.forecast.pairs import pairs_of
from predict.forecast.predict import Predictor
from predict.memory.fit import Layers
from study.case import Case
from study.commit import commit_of
from study.errors import explain
from study.results.file import read_result
from study.results.result import Result
from study.results.validation import ResultError
from study.storage.ledger import Submission, read
from study.storage.store import Store

CALIBRATIONS = "calibration-*.json"
MOST_PAIRS = 500  # earlier predictions whose errors count, the newest: each takes milliseconds


def known_of(store: Store, profile: Profile, asked: Callable[[], Iterable[Case]]) -> Known:
    """Return the calibrations of a folder, as it is now.

    Args:
        store: the folder of the profile's results.
        profile: where jobs run.
        asked: returns the calibrations that the command for the cases would make.
    """
    found, unreadable = list[Result](), dict[str, str]()
    for path in sorted(store.folder.glob(CALIBRATIONS)):
        try:
            found.append(read_result(path))
        except ResultError as error:
            unreadable[path.name] = f"{path} {error}"
        except OSError as error:
            unreadable[path.name] = explain(error)
    wanted = asked() if unreadable else ()
    lost = tuple(case for case in wanted if store.result_path(case).name in unreadable)
    newest = _newest(store) if found else None
    why = tuple(unreadable.values())
    return Known(tuple(found), newest, profile.device, why, profile.gpu_type, lost)


def make_predictor(
    store: Store,
    known: Known,
    nodes_of: Callable[[Case], int],
    layers_of: Callable[[Case], Layers],
) -> Predictor:
    """Return what predicts cases, from the folder as it is now.

    Args:
        store: the folder of the profile's results.
        known: its calibrations.
        nodes_of: on how many nodes a case runs.
        layers_of: the sizes of a case's layers.
    """
    if not known.results:
        return Predictor(known, Residuals(), nodes_of, layers_of)
    submissions = _submissions(store)
    predicted = {s.case_id: s.case for s in submissions if s.prediction is not None}
    measured = {
        case_id: result
        for case_id, case in list(predicted.items())[-MOST_PAIRS:]
        if (result := _read(store.result_path(case))) is not None
    }
    measured |= {result.case_id: result for result in known.results}
    residuals = Residuals(pairs_of(submissions, measured))
    return Predictor(known, residuals, nodes_of, layers_of, commit_of())


def _submissions(store: Store) -> list[Submission]:
    try:
        events, _ = read(store.submissions)
    except OSError:
        return []
    return [event for event in events if isinstance(event, Submission)]


def _newest(store: Store) -> Result | None:
    """Return the newest measurement of the folder; None without one."""
    found = store.folder.glob("*-g*-????????.json")
    others = [path for path in found if not path.match(CALIBRATIONS)]
    for path in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[:3]:
        result = _read(path)
        if result is not None and result.measurement is not None:
            return result
    return None


def _read(path: Path) -> Result | None:
    """Return the result in this file; None where there is none that can be read."""
    try:
        return read_result(path)
    except (ResultError, OSError):
        return None
