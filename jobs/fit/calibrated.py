"""Memory beside torch's tensors, as calibrations of the same results folder found it."""

from itertools import islice

from predict.memory.gpu_size import GpuSize
from study.results.file import read_result
from study.results.result import Result
from study.results.validation import ResultError
from study.storage.store import Store

MOST_READ = 8  # the newest
ALIKE = 0.1  # sizes of one type of GPU differ less, as a share


def calibrated_beside(store: Store, size: GpuSize | None) -> dict[str, int]:
    """Return bytes by what a process has done; the least of all processes, so that it is sure.

    Nothing of GPUs on which it is known anyway, and of those of which no calibration is there.

    Args:
        store: the folder.
        size: of the GPUs that cases are to get.
    """
    if size is None or size.is_measured:
        return {}
    try:
        times = {path: path.stat().st_mtime for path in store.folder.glob("calibration-*.json")}
    except OSError:
        return {}
    found: dict[str, int] = {}
    for path in islice(sorted(times, key=lambda path: -times[path]), MOST_READ):
        try:
            result = read_result(path)
        except (ResultError, OSError):
            continue
        if result.calibration is not None and _is_of(result, size):
            for entry in result.calibration.memory:
                found[entry.after] = min(entry.bytes, found.get(entry.after, entry.bytes))
    return found


def _is_of(result: Result, size: GpuSize) -> bool:
    """Return whether it ran on GPUs of this size."""
    gpus = [] if result.environment is None else result.environment.gpus
    sizes = [gpu.total_memory_bytes or 0 for gpu in gpus]
    return bool(sizes) and all(abs(its - size.size) < ALIKE * size.size for its in sizes)
