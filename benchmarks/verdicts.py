"""Simulate comparisons: the share that calls one case different, and that finds a true difference.

    python benchmarks/verdicts.py [--pairs 1000]

The first table compares jobs that differ by a spread of their own, the second says how often the
interval of several jobs holds the truth, the third compares the halves of one run.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.noise import autocorrelated
from study.statistics.bootstrap import compare, interval
from study.statistics.comparison import Comparison
from study.statistics.samples import Samples

STEPS, STEP_SD = 100, 0.002  # of the jobs that are compared
SPREADS = (0.002, 0.003, 0.004, 0.005)
SIDES = ((1, 1), (3, 1), (5, 1), (3, 3), (5, 5), (10, 10))
DIFFERENCE = 0.01
CHEAP = 5  # times as many pairs where no steps are resampled
DRIFT = 0.02  # from the first to the last step


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=1000)
    pairs: int = parser.parse_args().pairs
    print("| spread of jobs | jobs | same case called different | 1 % found | interval holds |")
    print("|---|---|---|---|---|")
    for spread in SPREADS:
        for jobs in SIDES:
            count = pairs if 1 in jobs else CHEAP * pairs
            alike = list(comparisons(count, spread, jobs, 1.0))
            apart = list(comparisons(count, spread, jobs, 1 + DIFFERENCE))
            found = np.mean([one.kind == "slower" for one in apart])
            holds = np.mean([one.low <= 1 <= one.high for one in alike])
            print(
                f"| {100 * spread:.1f} % | {jobs[0]} and {jobs[1]} | {different(alike):.1f} % "
                f"| {100 * found:.0f} % | {holds:.3f} |",
                flush=True,
            )
    print("\n| jobs, spread 0.4 % | interval holds |\n|---|---|")
    for jobs_of_one in (3, 4, 5, 7, 10):
        print(f"| {jobs_of_one} | {coverage(10 * pairs, 0.004, jobs_of_one):.3f} |", flush=True)
    print("\n| halves of one run | steps | called different |\n|---|---|---|")
    for name, phi, drift in (("white", 0.0, 0.0), ("AR(1) 0.8", 0.8, 0.0), ("drift", 0.0, DRIFT)):
        for steps in (60, 200, 1000):
            called = different(list(halves(pairs, phi, drift, steps)))
            print(f"| {name} | {steps} | {called:.1f} % |", flush=True)


def different(found: list[Comparison]) -> float:
    """Return the percentage that is called slower or faster."""
    return float(100 * np.mean([one.kind in ("slower", "faster") for one in found]))


def comparisons(
    pairs: int, spread: float, jobs: tuple[int, int], ratio: float
) -> Iterator[Comparison]:
    """Yield comparisons of made-up jobs.

    Args:
        pairs: number of comparisons.
        spread: standard deviation between jobs.
        jobs: of each side.
        ratio: the true one.
    """
    random = np.random.default_rng(2)
    for _ in range(pairs):
        a, b = (made_up_jobs(random, count, spread) for count in jobs)
        found = compare(a, [[ratio * step for step in job] for job in b])
        assert found is not None
        yield found


def coverage(runs: int, spread: float, jobs: int) -> float:
    """Return the share of intervals of several jobs that hold the true median.

    Args:
        runs: number of intervals.
        spread: standard deviation between jobs.
        jobs: of each interval.
    """
    random = np.random.default_rng(3)
    found = [interval(made_up_jobs(random, jobs, spread)) for _ in range(runs)]
    return float(np.mean([one is not None and one.low <= 1 <= one.high for one in found]))


def halves(runs: int, phi: float, drift: float, steps: int) -> Iterator[Comparison]:
    """Yield comparisons of the halves of made-up runs.

    Args:
        runs: number of them.
        phi: autocorrelation of neighbouring steps.
        drift: share by which a step at the end takes longer than one at the start.
        steps: of a run.
    """
    times = autocorrelated(phi)(np.random.default_rng(4), runs, steps)
    for run in (times * np.linspace(1, 1 + drift, steps)).tolist():
        found = compare([run[: steps // 2]], [run[steps // 2 :]])
        assert found is not None
        yield found


def made_up_jobs(random: np.random.Generator, jobs: int, spread: float) -> Samples:
    """Return steps of jobs about 1 that differ from job to job.

    Args:
        random: the source.
        jobs: number of them.
        spread: standard deviation between them.
    """
    between = spread * random.normal(size=(jobs, 1))
    within = STEP_SD * random.normal(size=(jobs, STEPS))
    steps: list[list[float]] = np.exp(between + within).tolist()
    return steps


if __name__ == "__main__":
    main()
