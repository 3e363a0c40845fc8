"""Simulate measurements: the share of intervals of one job that hold the true median.

    python benchmarks/coverage.py [--runs 300] [--limit-s 20] [--ci-half-width 0.005]
        [--noise TEXT]

The stopping rule of a job ends runs of made-up step times (benchmarks/noise.py). Intervals that
hold the truth are counted of all runs, and of those that became as narrow as asked for.
"""

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.noise import Noise, all_kinds
from mp.timing.stopping import StoppingRule
from study.case import Case
from study.statistics.bootstrap import interval

FEW = 0.02  # of the runs: a share of fewer says nothing


@dataclass(frozen=True)
class Outcome:
    """The end of a made-up run; the half-width is a share of the median."""

    holds: bool
    converged: bool
    half_width: float
    seconds: float


def main() -> None:
    """Print a row of Markdown for each kind of noise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--limit-s", type=float, default=20.0, help="time_limit_s of the case")
    parser.add_argument("--ci-half-width", type=float, default=0.005, help="0 takes all the time")
    parser.add_argument("--noise", default="", help="only kinds with this in their name")
    arguments = parser.parse_args()
    limits = {"time_limit_s": arguments.limit_s, "ci_half_width": arguments.ci_half_width}
    case = Case(depth=1, gpus=1, **limits)
    print("| noise | all runs | converged | share of runs | half-width | seconds |")
    print("|---|---|---|---|---|---|")
    for noise in all_kinds():
        if arguments.noise not in noise.name:
            continue
        found = outcomes(case, noise, arguments.runs)
        print(f"| {noise.name} | {' | '.join(cells(found))} |", flush=True)


def cells(found: list[Outcome]) -> list[str]:
    """Return the numbers of a row."""
    kept = [one.holds for one in found if one.converged]
    share = len(kept) / len(found)
    return [
        f"{fmean(one.holds for one in found):.2f}",
        f"{fmean(kept):.2f}" if share >= FEW else "–",
        f"{share:.2f}",
        f"{100 * median(one.half_width for one in found):.2f} %",
        f"{median(one.seconds for one in found):.0f}",
    ]


def outcomes(case: Case, noise: Noise, runs: int) -> list[Outcome]:
    """Return the end of each made-up run.

    Args:
        case: has the limits.
        noise: of the steps.
        runs: number of them.
    """
    steps = min(case.steps, math.ceil(case.time_limit_s / noise.step_s) + 1)
    times = noise.make(np.random.default_rng(1), runs, steps).tolist()
    return [outcome(case, run, noise) for run in times]


def outcome(case: Case, run: list[float], noise: Noise) -> Outcome:
    """Let the rule of a job end a run, and look at its interval.

    Args:
        case: has the limits.
        run: step times, as many as the time limit allows.
        noise: that they have.

    Returns:
        The end of the run.
    """
    rule = StoppingRule(case)
    for steps in range(1, len(run) + 1):
        elapsed_s = steps * noise.step_s
        # The rule does nothing before; a list of every length would take longer than the rule.
        if steps < rule.next_look and elapsed_s < case.time_limit_s and steps < case.steps:
            continue
        times = run[:steps]
        if rule(times, elapsed_s) is not None:
            break
    found, truth = interval([times]), math.exp(noise.log_median)
    assert found is not None
    return Outcome(
        holds=found.low <= truth <= found.high,
        converged=rule.is_narrow(times, found),
        half_width=found.half_width(median(times)),
        seconds=elapsed_s,
    )


if __name__ == "__main__":
    main()
