"""The 95 % confidence interval of a step time, and of a ratio of two.

One job: the block bootstrap, since neighbouring steps depend on each other, widened to the range of
medians of a few long blocks, since a few blocks tell too little of levels that last for seconds.
Several jobs: Student's and Welch's t on their medians (study/statistics/between_jobs.py).

Loads numpy and scipy, a quarter of a second: what only shows results imports it when it must.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import stdtrit

from study.statistics.between_jobs import (
    JOB_SD,
    log_mean,
    normal_draws,
    repeats_to_tell,
    t_draws,
    welch_half_width,
)
from study.statistics.comparison import Comparison
from study.statistics.samples import Interval, Samples, across_blocks, are_enough, estimate, hull

Floats = NDArray[np.float64]

TAILS = (0.025, 0.975)
RESAMPLES = 1000
MAX_TIMES = 10  # a block of as many correlation times is long enough, however many steps there are
MIN_BLOCKS = 3  # too few blocks tell too little of how blocks differ
NUMBERS_AT_ONCE = 2**18  # 2 MiB: bounds the memory, and stays in the cache


def interval(jobs: Samples) -> Interval | None:
    """Return the 95 % confidence interval; None for fewer than 6 steps in all, and for two jobs."""
    if not are_enough(jobs):
        return None
    value = estimate(jobs)
    if len(jobs) > 1:
        reach = math.exp(log_mean(jobs).half_width)
        return Interval(value / reach, value * reach)
    found = Interval(*_bounds(value, _log_deviations(jobs[0], np.random.default_rng(0))))
    return hull(found, across_blocks(jobs[0]))


def compare(a_jobs: Samples, b_jobs: Samples) -> Comparison | None:
    """Compare b to a; None where either has too few steps for an interval, or two jobs.

    Where both have 3 jobs or more, by Welch's t. Else draws of where either median may lie are
    subtracted on the log scale: of one job its bootstrap, as wide as its interval, and what jobs
    differ by (JOB_SD, or what those of the other sample differ by, if that is more), of several
    Student's t.
    """
    if not (are_enough(a_jobs) and are_enough(b_jobs)):
        return None
    ratio, counts = estimate(b_jobs) / estimate(a_jobs), (len(a_jobs), len(b_jobs))
    if min(counts) > 1:
        a_mean, b_mean = log_mean(a_jobs), log_mean(b_jobs)
        reach = math.exp(welch_half_width(a_mean, b_mean))
        bounds, sds = (ratio / reach, ratio * reach), (a_mean.job_sd, b_mean.job_sd)
    else:
        several = [jobs for jobs in (a_jobs, b_jobs) if len(jobs) > 1]
        job_sd = max([JOB_SD, *(log_mean(jobs).job_sd for jobs in several)])
        a, b = (_draws(jobs, job_sd, seed) for seed, jobs in enumerate((a_jobs, b_jobs), 1))
        bounds = _bounds(ratio, b - a)
        sds = _sd_of_a_job(a_jobs, a), _sd_of_a_job(b_jobs, b)
    repeats = repeats_to_tell(math.hypot(*sds) / math.sqrt(2))
    return Comparison(ratio, *bounds, counts, repeats)


def _draws(jobs: Samples, job_sd: float, seed: int) -> Floats:
    """Return equally likely deviations (log) of the true value from the one found.

    Samples to be compared need seeds of their own: with the same one they deviate alike.
    """
    random = np.random.default_rng(seed)
    if len(jobs) > 1:
        return t_draws(log_mean(jobs), random, RESAMPLES)
    deviations = _as_wide_as_the_interval(_log_deviations(jobs[0], random), jobs[0])
    return deviations + normal_draws(job_sd, random, RESAMPLES)


def _as_wide_as_the_interval(deviations: Floats, times: Sequence[float]) -> Floats:
    """Stretch either side to the medians of long blocks, as the interval of the job reaches.

    Else a verdict would be sure of a difference that the two intervals leave open.
    """
    value = estimate([times])
    narrow = Interval(*_bounds(value, deviations))
    wide = hull(narrow, across_blocks(times))
    below, above = (
        math.log(w / value) / math.log(n / value) if n != value else 1.0
        for w, n in ((wide.low, narrow.low), (wide.high, narrow.high))
    )
    return np.where(deviations < 0, deviations * max(1.0, below), deviations * max(1.0, above))


def _sd_of_a_job(jobs: Samples, draws: Floats) -> float:
    return float(np.std(draws)) if len(jobs) == 1 else log_mean(jobs).job_sd


def _bounds(value: float, deviations: Floats) -> tuple[float, float]:
    """Return the middle 95 % around a positive value, of its deviations on the log scale."""
    low, high = np.exp(np.quantile(deviations, TAILS))
    return float(value * low), float(value * high)


def _log_deviations(times: Sequence[float], random: np.random.Generator) -> Floats:
    """Return log(resampled median / median) of 1000 resamples of a job, expanded."""
    steps = np.asarray(times, dtype=np.float64)
    length, value = _block_length(steps), float(np.median(steps))
    deviations = np.log(_resampled(steps, length, RESAMPLES, random) / value)
    expanded = deviations * _expansion(len(steps) / length)
    # However few its steps, the median of one job lies among them.
    return np.clip(expanded, *np.log([steps.min() / value, steps.max() / value]))


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
