"""Made-up results that were measured under other conditions than the rest."""

import msgspec

from report.data.measured import measured
from study.results.environment import RankPlace
from study.results.result import Code
from tests.report.made_up import measuring

MHZ = 1_000_000
replace = msgspec.structs.replace


def case_of(given, *shared_hosts):
    """The result as a measured case."""
    return measured(given, shared_hosts)


def environment(given, **changes):
    """The result from a machine that differs in this."""
    return replace(given, environment=replace(given.environment, **changes))


def at_clock(given, *mhz, gpu=0, reasons=()):
    """The result, of which one GPU ran at this clock before the timed steps (and at that after)."""
    before, after = (
        replace(state, sm_clock_hz=clock * MHZ, throttle_reasons=list(reasons))
        for state, clock in zip(_states(given, gpu), (mhz[0], mhz[-1]), strict=True)
    )
    gpus = list(given.environment.gpus)
    gpus[gpu] = replace(gpus[gpu], before=before, after=after)
    return environment(given, gpus=gpus)


def without_nvml(given):
    """The result from a machine whose NVML tells nothing."""
    unknown = {"before": None, "after": None, "max_sm_clock_hz": None}
    return environment(given, gpus=[replace(gpu, **unknown) for gpu in given.environment.gpus])


def warmed_up(given, steady):
    """The result with a warm-up that was steady, was not, or was too short to tell."""
    return measuring(given, warmup_steady=steady)


def ran(given, start, end, *hosts):
    """The result of a job that ran between these times of a day, on these hosts."""
    times = {"started_at": start, "finished_at": end}
    day = {key: f"2030-01-01T{time}.000+00:00" for key, time in times.items()}
    ranks = tuple(
        RankPlace(rank=rank, host=host, device="cuda:0", threads=1)
        for rank, host in enumerate(hosts)
    )
    given = replace(given, job=replace(given.job, **day))
    return environment(given, host=hosts[0], ranks=ranks) if hosts else given


def from_commit(given, digit, changed=()):
    """The result of this commit, with these files changed; None for files that nobody noted."""
    dirty = changed is None or bool(changed)
    return replace(given, code=Code(commit=digit * 40, dirty=dirty, changed=changed))


def _states(given, gpu):
    return given.environment.gpus[gpu].before, given.environment.gpus[gpu].after
