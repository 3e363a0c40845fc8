"""Memory as it is predicted before a run against what GPUs allocated: a row for each kind of case.

    python benchmarks/memory.py docs/example/results/h200 OTHER/FOLDER ...

Folders hold results of real GPUs. Nothing of a result goes into its prediction but the case, and
with `balance: time` the stages, which the job cut by times that it measured itself.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from predict.memory.kinds.of_case import layers_of
from predict.memory.peaks import memory_case, peaks_of
from study.case import Case
from study.results.file import read_result
from study.results.result import Result
from study.results.validation import ResultError
from study.schedules import SCHEDULES


class Row(NamedTuple):
    """Errors of one kind of case, as shares of what was allocated."""

    model: str
    how: str
    cases: set[Case]
    errors: list[float]


def main() -> int:
    """Print a row for each model and schedule, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folders", nargs="+", type=Path)
    rows: dict[tuple[str, str], Row] = {}
    for folder in parser.parse_args().folders:
        for result in _results(folder):
            model, how = result.case.kind, _how(result.case)
            row = rows.setdefault((model, how), Row(model, how, set(), []))
            row.cases.add(memory_case(result.case))
            row.errors.extend(_errors(result))
    if not rows:
        print("error: no result of real GPUs in these folders", file=sys.stderr)
        return 2
    print("| model | schedule | cases | peaks | mean | most | lowest |")
    print("|---|---|---|---|---|---|---|")
    for row in sorted(rows.values()):
        _show(row)
    every = [row for row in rows.values() if row.model != "conv"]
    if every:
        cases = set[Case]().union(*(row.cases for row in every))
        _show(Row("all but conv", "", cases, [e for row in every for e in row.errors]))
    return 0


def _results(folder: Path) -> Iterator[Result]:
    """Yield the results of a folder whose GPUs were real and that closed forms know."""
    for path in sorted(folder.glob("*.json")):
        try:
            result = read_result(path)
        except ResultError:
            continue
        known = [] if result.measurement is None else result.measurement.per_gpu
        has_peaks = known and all(gpu.peak_allocated_bytes is not None for gpu in known)
        if has_peaks and result.case.kind != "program" and layers_of(result.case):
            yield result


def _how(case: Case) -> str:
    fused = ", fused gradients" if case.gradients == "fused" else ""
    return f"{SCHEDULES[case.schedule].label}{fused}"


def _errors(result: Result) -> Iterator[float]:
    case, placement, measured = result.case, result.placement, result.measurement
    layers = layers_of(case)
    assert layers is not None
    assert placement is not None
    assert measured is not None
    is_cut = case.balance == "time" and SCHEDULES[case.schedule].is_pipeline
    stages = (placement.stage_of_layer or placement.gpu_of_layer) if is_cut else None
    for peak in peaks_of(case, layers.model, stages):
        allocated = measured.per_gpu[peak.gpu].peak_allocated_bytes
        assert allocated is not None
        yield peak.allocated / allocated - 1


def _show(row: Row) -> None:
    most = max(row.errors, key=abs)
    print(
        f"| {row.model} | {row.how} | {len(row.cases)} | {len(row.errors)} "
        f"| {100 * mean(map(abs, row.errors)):.3f} % | {100 * most:+.3f} % "
        f"| {100 * min(row.errors):+.3f} % |"
    )


if __name__ == "__main__":
    sys.exit(main())
