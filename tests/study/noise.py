"""Made-up step times: runs of steps about 1 s that vary by 1 %."""

import numpy as np

SIGMA = 0.01


def white(random, runs, steps):
    """Runs of independent steps."""
    return np.exp(SIGMA * random.normal(size=(runs, steps)))


def autocorrelated(random, runs, steps, phi=0.8):
    """Runs of AR(1) steps with the same spread, each run stationary from its start."""
    noise = random.normal(size=(steps, runs))
    for step in range(1, steps):
        noise[step] = phi * noise[step - 1] + np.sqrt(1 - phi**2) * noise[step]
    return np.exp(SIGMA * noise.T)


def with_slow_steps(random, runs, steps):
    """Runs of independent steps, 2 % of which take half as long again."""
    return white(random, runs, steps) * np.where(random.random((runs, steps)) < 0.02, 1.5, 1)
