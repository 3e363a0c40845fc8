"""Predictions that a ledger has from before the jobs ran, against what the jobs measured.

    python benchmarks/predictions.py results/local
    python benchmarks/predictions.py results/local --again

Prints one line for each figure that predictions are held to: mean, nine in ten, largest, and the
target. Steady cases are those whose host share is at most 75 % and whose measured median is known
to 2 %; the figures of step times are over them, and over all cases next to it. With --again the
cases are predicted anew, after the runs: a row for each case, then the same figures. They show what
a change of the predictor does to cases that it was made with, and hold nothing out.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec

from benchmarks.again import pairs_again
from benchmarks.prediction_errors import (
    ALIKE,
    by_cut,
    errors,
    is_slower,
    is_steady,
    of_bubbles,
    of_peaks,
)
from predict.forecast.accuracy import covered, given_as_points, spread_of
from predict.forecast.pairs import Pair
from predict.forecast.words import interval_words, step_words
from report.data.load import ProfileResults, load_results
from study.case import Case
from study.schedules import SCHEDULES
from study.values.keys import DEFAULTS

AFTERWARDS = "Predicted again, after the runs, from the folder's calibrations: nothing is held out."
OF_SCHEDULES = ("schedule", "micro_batches", "chunks_per_gpu", "balance", "gradients", "repeat",
                "data_parallel", "split")  # fmt: skip


def main() -> int:
    """Print the figures; 1 if there is no prediction."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("results", type=Path, help="a folder of results")
    parser.add_argument(
        "--again", action="store_true", help="predict anew from the folder's calibrations"
    )
    options = parser.parse_args()
    profiles = load_results(options.results, lambda problem: print(problem, file=sys.stderr))
    before = [pair for profile in profiles for pair in profile.pairs.values()]
    pairs = before
    if options.again:
        pairs = [pair for profile in profiles for pair in pairs_again(profile)]
    if not pairs:
        why = "has a calibration that fits it" if options.again else "was predicted before it ran"
        print(f"{options.results}: no case {why}", file=sys.stderr)
        return 1
    if options.again:
        print(AFTERWARDS)
        print("\n".join(_rows(pairs, before)))
    for line in [*_figures(pairs), *_unpredicted(profiles), *_calibrations(profiles)]:
        print(line)
    return 0


def _rows(pairs: Iterable[Pair], before: Iterable[Pair]) -> Iterable[str]:
    """Yield a row of Markdown for each case: what was predicted before, and again."""
    old = {pair.case: pair for pair in before}
    yield "| GPUs | schedule | micro-batches | before the run | again | measured | error |"
    yield "|---|---|---|---|---|---|---|"
    for pair in pairs:
        case, entry = pair.case, SCHEDULES[pair.case.schedule]
        earlier = interval_words(old[case].prediction) if case in old else "none"
        error = "a bound" if pair.prediction.is_launch_bound else f"{100 * pair.error:+.1f} %"
        if pair.prediction.is_launch_bound and not pair.is_inside:
            error = "below its bound"
        micro_batches = str(case.micro_batches) if entry.is_pipeline else "–"
        cells = (str(case.gpus), entry.label, micro_batches, earlier,
                 interval_words(pair.prediction), step_words(pair.measured_s), error)  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def _figures(pairs: list[Pair]) -> Iterable[str]:
    points = given_as_points(pairs)
    steady = [pair for pair in points if is_steady(pair)]
    yield _line("step, steady cases", errors(steady), "2 / 4 / 6 %")
    yield _line("step, all cases", errors(points), "none")
    for group, target in (
        ("one stage", "1 / - / 2 %"),
        ("runtime", "none"),
        ("naive", "3 / - / - %"),
        ("together", "5 / - / - %"),
    ):
        its = [pair for pair in steady if pair.prediction.group == group]
        yield _line(f"step, {group}", errors(its), target)
    yield _line("bubble of each GPU, points", of_bubbles(steady), "1 / - / 3")
    for cut, its in by_cut(pairs).items():
        if its or cut == ALIKE:
            peaks = of_peaks(its)
            yield _line(f"peak of each GPU, {cut}", peaks, "0.5 / - / 2 %")
            yield f"more than 1 % too low, {cut}: {sum(p < -0.01 for p in peaks)} (target 0)"
    yield from _choices(steady)
    inside = covered(points)
    said = "none" if inside is None else f"{100 * inside:.0f} % of {len(points)}"
    yield f"in the 90 % interval: {said} (target 80 to 97 % of at least 30)"
    bounds = [pair for pair in pairs if pair.prediction.is_launch_bound]
    yield f"launch-bound, given as a bound: {len(bounds)}, kept {sum(b.is_inside for b in bounds)}"
    extrapolated = sum(pair.prediction.is_extrapolated for pair in pairs)
    yield f"called extrapolated: {extrapolated} of {len(pairs)}"
    away = [pair for pair in pairs if pair.other_machine]
    yield f"on another machine than their calibration, not counted: {len(away)}"


def _line(name: str, found: list[float], target: str) -> str:
    spread = spread_of(found)
    if spread is None:
        return f"{name}: none"
    figures = " / ".join(
        f"{100 * value:.2f}" for value in (spread.mean, spread.p90, spread.largest)
    )
    return f"{name}: {figures} (mean / nine in ten / largest of {spread.count}; target {target})"


def _choices(pairs: list[Pair]) -> Iterable[str]:
    """Yield what choosing by prediction would have cost, for each model and number of GPUs."""
    alike: defaultdict[Case, list[Pair]] = defaultdict(list)
    for pair in pairs:
        neutral = {key: DEFAULTS[key] for key in OF_SCHEDULES}
        alike[msgspec.structs.replace(pair.case, **neutral)].append(pair)
    inverted = different = 0
    regrets = []
    for its in alike.values():
        chosen = min(its, key=lambda pair: pair.prediction.step_s)
        if len(its) > 1:
            regrets.append(chosen.measured_s / min(pair.measured_s for pair in its) - 1)
        for a, b in combinations(its, 2):
            slower = is_slower(a, b)
            different += slower is not None
            inverted += slower is not None and slower != (a.prediction.step_s > b.prediction.step_s)
    yield _line("chosen case against the best measured", regrets, "- / - / 2 %")
    yield f"orders inverted that the test calls different: {inverted} of {different} (target 0)"


def _unpredicted(profiles: list[ProfileResults]) -> Iterable[str]:
    """Yield how many measured cases had no prediction, by the reason."""
    why: defaultdict[str, int] = defaultdict(int)
    for profile in profiles:
        for case, result in profile.results.items():
            if result.measurement is not None and case not in profile.pairs:
                said = profile.why_unpredicted(case).partition("; run ")[0]
                why[said or "no calibration was there"] += 1
    yield from (f"without a prediction: {count}, {said}" for said, count in why.items())


def _calibrations(profiles: list[ProfileResults]) -> Iterable[str]:
    """Yield how long the job of each calibration took, its start and end included."""
    results = [found for profile in profiles for found in profile.calibrations.values()]
    hours = 0.0
    for result in results:
        if result is None or result.calibration is None:
            continue
        began, ended = map(datetime.fromisoformat, (result.job.started_at, result.job.finished_at))
        took_s = (ended - began).total_seconds()
        hours += result.case.gpus * took_s / 3600
        yield f"{result.case_id}: {took_s:.0f} s (target 120)"
    yield f"all calibrations: {hours:.4f} GPU-hours (target 0.05)"


if __name__ == "__main__":
    sys.exit(main())
