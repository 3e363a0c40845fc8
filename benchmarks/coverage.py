"""Simulate measurements: the share of intervals that hold the truth, and of verdicts that err.

    python benchmarks/coverage.py [--runs 300] [--limit-s 20] [--only intervals|verdicts]

The first table runs the stopping rule of a job on made-up step times (benchmarks/noise.py) and
counts intervals that hold the true median: of all runs, and of those that converged. The second
compares jobs that differ by a spread of their own.
"""

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.noise import Noise, all_kinds
from mp.timing.stopping import StoppingRule
from study.case import Case
from study.statistics.bootstrap import compare, interval
from study.statistics.samples import Samples

FEW = 0.02  # of the runs: a share of fewer says nothing
STEPS, STEP_SD = 100, 0.002  # of the jobs that are compared
SPREADS = (0.002, 0.003, 0.004, 0.005)


@dataclass(frozen=True)
class Outcome:
    """The end of a made-up run."""

    holds: bool
    converged: bool
    half_width: float
    seconds: float


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--limit-s", type=float, default=20.0, help="time_limit_s of the case")
    parser.add_argument("--only", choices=("intervals", "verdicts"))
    arguments = parser.parse_args()
    if arguments.only != "verdicts":
        print_intervals(arguments.runs, arguments.limit_s)
    if arguments.only != "intervals":
        print_verdicts(arguments.runs)


def print_intervals(runs: int, limit_s: float) -> None:
    """Print a row for each kind of noise."""
    print("| noise | all runs | converged | share of runs | half-width | seconds |")
    print("|---|---|---|---|---|---|")
    for noise in all_kinds():
        found = outcomes(noise, runs, limit_s)
        kept = [one.holds for one in found if one.converged]
        share = len(kept) / runs
        of_kept = f"{np.mean(kept):.2f}" if share >= FEW else "–"
        width, seconds = (
            np.median([getattr(o, n) for o in found]) for n in ("half_width", "seconds")
        )
        covers = np.mean([one.holds for one in found])
        row = (
            noise.name,
            f"{covers:.2f}",
            of_kept,
            f"{share:.2f}",
            f"{100 * width:.2f} %",
            f"{seconds:.0f}",
        )
        print(f"| {' | '.join(row)} |", flush=True)


def outcomes(noise: Noise, runs: int, limit_s: float) -> list[Outcome]:
    """Return the end of each made-up run.

    Args:
        noise: of the steps.
        runs: number of them.
        limit_s: time limit of the case.
    """
    case = Case(depth=1, gpus=1, time_limit_s=limit_s)
    steps = min(case.steps, math.ceil(limit_s / noise.step_s) + 1)
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
        # The rule does nothing before, and a list of every length would take longer than the rule.
        if steps < rule.next_look and elapsed_s < case.time_limit_s and steps < case.steps:
            continue
        times = run[:steps]
        if rule(times, elapsed_s) is not None:
            break
    found = interval([times])
    assert found is not None
    truth = math.exp(noise.log_median)
    half_width = found.half_width(float(np.median(times)))
    return Outcome(
        found.low <= truth <= found.high, rule.is_narrow(times, found), half_width, elapsed_s
    )


def print_verdicts(runs: int) -> None:
    """Print how often jobs of one case are called different, and a true 1 % is found."""
    print("\n| spread | jobs | same case called different | 1 % found | ratio's interval holds |")
    print("|---|---|---|---|---|")
    for spread in SPREADS:
        for jobs in ((1, 1), (3, 1), (5, 1), (3, 3), (5, 5), (10, 10)):
            alike, apart = (verdicts(runs, spread, jobs, by) for by in (1.0, 1.01))
            wrong, right = (
                np.mean([kind != "none" for kind, _ in found]) for found in (alike, apart)
            )
            row = (
                f"{100 * spread:.1f} %",
                f"{jobs[0]} and {jobs[1]}",
                f"{100 * wrong:.1f} %",
                f"{100 * right:.0f} %",
                f"{np.mean([h for _, h in alike]):.3f}",
            )
            print(f"| {' | '.join(row)} |", flush=True)
    print("\n| spread of jobs | jobs | interval holds |\n|---|---|---|")
    for count in (3, 4, 5, 7, 10):
        print(f"| 0.4 % | {count} | {coverage_of_jobs(10 * runs, 0.004, count):.3f} |", flush=True)


def verdicts(
    runs: int, spread: float, jobs: tuple[int, int], ratio: float
) -> list[tuple[str, bool]]:
    """Compare made-up jobs; return the direction found, or none, and if the interval holds.

    Args:
        runs: number of comparisons.
        spread: standard deviation between jobs.
        jobs: of each side.
        ratio: the true one.
    """
    random = np.random.default_rng(2)
    found: list[tuple[str, bool]] = []
    for _ in range(runs):
        a, b = (made_up_jobs(random, count, spread) for count in jobs)
        result = compare(a, [[ratio * step for step in job] for job in b])
        assert result is not None
        kind = result.kind if result.kind in ("slower", "faster") else "none"
        found.append((kind, result.low <= ratio <= result.high))
    return found


def coverage_of_jobs(runs: int, spread: float, jobs: int) -> float:
    """Return the share of intervals of several jobs that hold the true median.

    Args:
        runs: number of intervals.
        spread: standard deviation between jobs.
        jobs: of each interval.
    """
    random = np.random.default_rng(3)
    found = [interval(made_up_jobs(random, jobs, spread)) for _ in range(runs)]
    return float(np.mean([one is not None and one.low <= 1 <= one.high for one in found]))


def made_up_jobs(random: np.random.Generator, jobs: int, spread: float) -> Samples:
    """Return steps of jobs about 1 that differ from job to job.

    Args:
        random: the source.
        jobs: number of them.
        spread: standard deviation between them.
    """
    between = spread * random.normal(size=(jobs, 1))
    steps: list[list[float]] = np.exp(
        between + STEP_SD * random.normal(size=(jobs, STEPS))
    ).tolist()
    return steps


if __name__ == "__main__":
    main()
