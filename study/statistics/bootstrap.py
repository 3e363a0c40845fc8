"""The 95 % confidence interval of the median step time, and of a ratio of two, by the bootstrap.

Neighbouring steps depend on each other, so blocks of them are drawn rather than steps. All steps of
a job have the job in common, so of several jobs, jobs are drawn first (Kalibera & Jones 2013: the
highest repeated level decides).

Loads numpy and scipy, a quarter of a second: what only shows results imports it when it must.
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import stdtrit

from study.statistics.comparison import Comparison
from study.statistics.samples import Interval, Samples, are_enough, estimate

Floats = NDArray[np.float64]

TAILS = (0.025, 0.975)
RESAMPLES = 1000
MAX_TIMES = 10  # a block of as many correlation times is long enough, however many steps there are
MIN_BLOCKS = 3  # too few blocks tell too little of how blocks differ
NUMBERS_AT_ONCE = 2**18  # 2 MiB: bounds the memory, and stays in the cache
# The steps of one job do not know what another job would have found: on an H100, whose clock moves
# in steps of 0.8 %, medians of the same case differ from job to job by 0.4 % (standard deviation).
# This much is allowed for where a sample is one job; with more, 1 % would no longer be found.
JOB_SD = 0.002


def interval(jobs: Samples) -> Interval | None:
    """Return the 95 % confidence interval; None for fewer than 6 steps in all, and for two jobs."""
    deviations = _log_deviations(jobs)
    return None if deviations is None else Interval(*_bounds(estimate(jobs), deviations))


def _bounds(value: float, deviations: Floats) -> tuple[float, float]:
    """Return the middle 95 % around a positive value, of its deviations on the log scale."""
    low, high = np.exp(np.quantile(deviations, TAILS))
    return float(value * low), float(value * high)


def compare(a_jobs: Samples, b_jobs: Samples) -> Comparison | None:
    """Compare b to a; None where either has too few steps for an interval.

    The two are resampled independently, and their deviations subtracted on the log scale; each was
    expanded as its own number of blocks or jobs demands, and one job widened by JOB_SD.
    """
    a, b = _deviations(a_jobs, seed=1), _deviations(b_jobs, seed=2)
    if a is None or b is None:
        return None
    ratio = estimate(b_jobs) / estimate(a_jobs)
    return Comparison(ratio, *_bounds(ratio, b - a))


def _deviations(jobs: Samples, seed: int) -> Floats | None:
    found = _log_deviations(jobs, seed)
    if found is None or len(jobs) > 1:
        return found
    return found + np.random.default_rng((seed, len(found))).normal(0, JOB_SD, len(found))


def _log_deviations(jobs: Samples, seed: int = 0) -> Floats | None:
    """Return log(resampled estimate / estimate) of 1000 resamples, expanded.

    None for fewer than 6 steps, and for two jobs, of which t says that their difference tells next
    to nothing (t_1 = 12.7).

    Samples to be compared need seeds of their own: with the same one they deviate alike. Where both
    jobs and their steps are drawn, the noise of the steps counts twice: too wide, not too narrow.
    """
    if not are_enough(jobs):
        return None
    times = [np.asarray(job, dtype=np.float64) for job in jobs]
    lengths = [_block_length(steps) for steps in times]
    random = np.random.default_rng(seed)
    drawn = random.integers(len(jobs), size=(RESAMPLES, len(jobs)))
    medians = np.empty(drawn.shape)
    for job, (steps, length) in enumerate(zip(times, lengths, strict=True)):
        medians[drawn == job] = _resampled(steps, length, int(np.sum(drawn == job)), random)
    value = estimate(jobs)
    deviations: Floats = np.log(_medians(medians) / value)
    if len(jobs) > 1:
        return deviations * _expansion(len(jobs))
    expanded = deviations * _expansion(len(times[0]) / lengths[0])
    # However few its steps, the median of one job lies among them.
    return np.clip(expanded, *np.log([times[0].min() / value, times[0].max() / value]))


def _expansion(units: float) -> float:
    """Return by how much k units deviate too little (Hesterberg 2015)."""
    t, z = float(stdtrit(units - 1, TAILS[1])), NormalDist().inv_cdf(TAILS[1])
    return math.sqrt(units / (units - 1)) * t / z


def _block_length(steps: Floats) -> int:
    """n^(1/3) (Künsch 1989: the best growth), times the steps that tell as much as one alone."""
    length = math.ceil(min(math.cbrt(len(steps)), MAX_TIMES) * _correlation_time(steps))
    return min(length, max(1, len(steps) // MIN_BLOCKS))


def _correlation_time(steps: Floats) -> float:
    """Integrated autocorrelation time (in steps, at least 1) of the signs of step - median.

    The signs are all that moves a median. The autocorrelations are added in pairs, up to the first
    pair that is not positive (Geyer 1992, initial positive sequence).
    """
    signs = np.sign(steps - np.median(steps))
    if not signs.any():
        return 1.0
    spectrum = np.fft.rfft(signs, 2 * len(signs))  # padded, so that the end does not meet the start
    covariances = np.fft.irfft(np.abs(spectrum) ** 2)[: len(signs) // 2 * 2]
    pairs = covariances.reshape(-1, 2).sum(axis=1) / covariances[0]
    return max(1.0, 2 * float(pairs[np.logical_and.accumulate(pairs > 0)].sum()) - 1)


def _resampled(steps: Floats, length: int, count: int, random: np.random.Generator) -> Floats:
    """Medians (seconds) of `count` circular block bootstraps (Politis & Romano 1992)."""
    n = len(steps)
    blocks = sliding_window_view(np.concatenate([steps, steps[: length - 1]]), length)
    medians, at_once = np.empty(count), max(1, NUMBERS_AT_ONCE // n)
    for part in np.split(medians, range(at_once, count, at_once)):
        starts = random.integers(n, size=(len(part), math.ceil(n / length)))
        part[:] = _medians(blocks[starts].reshape(len(part), -1)[:, :n])
    return medians


def _medians(rows: Floats) -> Floats:
    """Return the median of each row, several times as fast as numpy's; rows lose their order."""
    half = rows.shape[1] // 2
    rows.partition(half, axis=1)
    upper: Floats = rows[:, half]
    return upper if rows.shape[1] % 2 else (rows[:, :half].max(axis=1) + upper) / 2
