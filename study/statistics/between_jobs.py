"""The spread between jobs of one case, and the number of jobs that tells two cases apart.

Jobs are the highest level that is repeated, so their medians decide, and by Student's t (Kalibera &
Jones 2013, "Rigorous benchmarking in reasonable time"); of two samples by Welch's (1947). Both on
the log scale, where a ratio is a difference and no interval reaches 0.

Loads numpy and scipy: what only shows results imports it when it must.
"""

import math
from dataclasses import dataclass
from statistics import mean, median, variance

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from study.statistics.comparison import Repeats
from study.statistics.samples import Samples

Floats = NDArray[np.float64]

# The steps of one job do not know what another job would have found: on two H100s, whose clocks
# move in steps of 0.8 %, medians of one case differed from job to job by 0.38 and 0.47 % (standard
# deviation of the log; benchmarks/README.md). This much is allowed for where a sample is one job.
JOB_SD = 0.004
UPPER = 0.975  # of a two-sided interval of 95 %
POWER = 0.9
WANTED = 0.01  # the difference that repeats should show, if as many as MAX_REPEATS can
MIN_JOBS, MAX_REPEATS = 3, 10


@dataclass(frozen=True)
class LogMean:
    """The mean log median of 3 or more jobs: its squared standard error and degrees of freedom."""

    value: float
    squared_error: float
    freedom: int

    @property
    def half_width(self) -> float:
        """Half the 95 % interval (Student's t)."""
        return float(stdtrit(self.freedom, UPPER)) * math.sqrt(self.squared_error)

    @property
    def job_sd(self) -> float:
        """The standard deviation between the jobs."""
        return math.sqrt(self.squared_error * (self.freedom + 1))


def log_mean(jobs: Samples) -> LogMean:
    """Return the mean log median of 3 or more jobs."""
    medians = [median(job) for job in jobs]
    logs = [math.log(each) for each in medians]
    between = 0.0 if min(medians) == max(medians) else variance(logs)
    return LogMean(mean(logs), between / len(logs), len(logs) - 1)


def welch_half_width(a: LogMean, b: LogMean) -> float:
    """Return half the 95 % interval of b - a, with Welch and Satterthwaite's freedom."""
    both = a.squared_error + b.squared_error
    if both == 0:
        return 0.0
    freedom = both**2 / sum(one.squared_error**2 / one.freedom for one in (a, b))
    return float(stdtrit(freedom, UPPER)) * math.sqrt(both)


def t_draws(mean_of_jobs: LogMean, random: np.random.Generator, count: int) -> Floats:
    """Return where the true mean may lie beside the one found, equally likely draws of Student's t.

    Args:
        mean_of_jobs: what was found.
        random: puts the draws in an order.
        count: of the draws.
    """
    drawn = random.permutation(stdtrit(mean_of_jobs.freedom, _middles(count)))
    return np.asarray(drawn * math.sqrt(mean_of_jobs.squared_error))


def normal_draws(sd: float, random: np.random.Generator, count: int) -> Floats:
    """Return equally likely deviations of a job from the others, in a random order.

    Args:
        sd: their standard deviation.
        random: puts the draws in an order.
        count: of the draws.
    """
    return np.asarray(sd * random.permutation(ndtri(_middles(count))))


def _middles(count: int) -> Floats:
    """The middles of as many equal parts of the probability: exact quantiles, without luck."""
    return (np.arange(count) + 0.5) / count


def least_difference(jobs: int, sd: float) -> float:
    """Return the log ratio that two samples of as many jobs find with a power of 90 %.

    (t of 97.5 % + t of 90 %) standard errors, to a good approximation (Zar 2010, section 8.4).
    """
    freedom = 2 * (jobs - 1)
    quantiles = float(stdtrit(freedom, UPPER) + stdtrit(freedom, POWER))
    return quantiles * sd * math.sqrt(2 / jobs)


def repeats_to_tell(sd: float) -> Repeats:
    """Return how many jobs of each case show a difference of 1 %, or what 10 jobs of each show.

    Args:
        sd: how much single jobs differ, on the log scale.
    """
    for jobs in range(MIN_JOBS, MAX_REPEATS + 1):
        if least_difference(jobs, sd) <= math.log1p(WANTED):
            return Repeats(jobs, WANTED)
    return Repeats(MAX_REPEATS, math.expm1(least_difference(MAX_REPEATS, sd)))
