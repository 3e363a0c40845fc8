"""Made-up step times: runs about 1, whose true median is known."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]
Make = Callable[[np.random.Generator, int, int], Floats]  # runs × steps

SIGMA = 0.01  # standard deviation of white and AR(1) noise
LEVELS_APART = 0.007  # as levels of the clock were on an H100 (benchmarks/README.md)
WITHIN_A_LEVEL = 0.002
GPU_STEP_S = 0.014
SHARES = {
    "three levels, equal": (1 / 3, 1 / 3, 1 / 3),
    "three levels, 25/50/25": (0.25, 0.5, 0.25),
    "two levels, 70/30": (0.7, 0.3),
    "two levels, 50/50": (0.5, 0.5),
}


@dataclass(frozen=True)
class Noise:
    """A kind of noise, the seconds that a step takes, and the logarithm of the true median."""

    name: str
    step_s: float
    make: Make
    log_median: float = 0.0


def autocorrelated(phi: float) -> Make:
    """Return a maker of AR(1) noise, each run stationary from its start; of phi = 0 it is white."""

    def make(random: np.random.Generator, runs: int, steps: int) -> Floats:
        noise = random.normal(size=(runs, steps))
        noise[:, 1:] *= math.sqrt(1 - phi**2)
        return np.asarray(np.exp(SIGMA * lfilter([1], [1, -phi], noise)))

    return make


def sticky(shares: tuple[float, ...], dwell_s: float, step_s: float) -> Make:
    """Return a maker of steps at levels: each stays for a while, and the next is drawn anew.

    Args:
        shares: of the time that each level has.
        dwell_s: mean of the exponentially distributed times until the next draw.
        step_s: seconds of a step.
    """

    def make(random: np.random.Generator, runs: int, steps: int) -> Floats:
        draws = random.random((runs, steps)) < 1 - math.exp(-step_s / dwell_s)
        latest = np.maximum.accumulate(np.where(draws, np.arange(steps), 0), axis=1)
        drawn = random.choice(len(shares), size=(runs, steps), p=shares)
        levels = LEVELS_APART * np.take_along_axis(drawn, latest, axis=1)
        return np.asarray(np.exp(levels + WITHIN_A_LEVEL * random.normal(size=(runs, steps))))

    return make


def median_of_levels(shares: tuple[float, ...]) -> float:
    """Return the logarithm of the median of a mixture of levels, by bisection."""
    normal = NormalDist(0, WITHIN_A_LEVEL)
    low, high = 0.0, LEVELS_APART * len(shares)
    for _ in range(60):
        middle = (low + high) / 2
        below = sum(s * normal.cdf(middle - LEVELS_APART * n) for n, s in enumerate(shares))
        low, high = (middle, high) if below < 0.5 else (low, middle)
    return low


def all_kinds() -> list[Noise]:
    """Return white and AR(1) noise for short and long steps, then levels that last."""
    found = []
    for step_s in (GPU_STEP_S, 0.1):
        for phi in (0.0, 0.3, 0.6, 0.8, 0.9, 0.95):
            name = f"AR(1) {phi}" if phi else "white"
            found.append(Noise(f"{name}, {1000 * step_s:.0f} ms", step_s, autocorrelated(phi)))
    for name, shares in SHARES.items():
        for dwell_s in (0.1, 0.3, 1.0, 3.0):
            make = sticky(shares, dwell_s, GPU_STEP_S)
            median = median_of_levels(shares)
            found.append(Noise(f"{name}, {dwell_s:g} s", GPU_STEP_S, make, median))
    return found
