"""Table of the samples behind each step time: how many, when the run ended, and clocks."""

from report.analysis.step_time import step_time
from report.data.clocks import slowest
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.wording.units import UNKNOWN, between, percent
from study.statistics.samples import outliers

CAPTION = "Samples behind each step time"
ENDED = {"converged": "narrow interval", "steps": "limit of steps", "time_limit": "time limit"}


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each case."""
    labels = Labels(results)
    return known_rows(CAPTION, (join_cells(labels.of(r), _cells(r)) for r in results))


def _cells(result: MeasuredCase) -> dict[str, str]:
    measurements = [job.measurement for job in result.jobs]
    found = step_time(result)
    half = None if found.interval is None else found.interval.half_width(found.estimate_s)
    ended = dict.fromkeys(ENDED.get(m.stopped_by, m.stopped_by) for m in measurements)
    return {
        "jobs": str(len(result.jobs)) if result.repeats else UNKNOWN,
        "timed steps": str(sum(map(len, result.steps_s))),
        "far-out steps": str(sum(outliers(times) for times in result.steps_s)),
        "warm-up steps": between([m.warmup_steps for m in measurements]),
        "half-width of the interval": UNKNOWN if half is None else f"±{percent(half)}",
        "ended by": " and ".join(ended),
        "SM clock": _clock(result),
    }


def _clock(result: MeasuredCase) -> str:
    """Return the clocks of the slowest GPU: `1410 to 1590 of 1980 MHz`."""
    gpu = slowest(result)
    return UNKNOWN if gpu is None else gpu.range
