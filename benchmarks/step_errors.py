"""Errors of simulated steps against measured ones, for benchmarks/held_out.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median

from benchmarks.layer_seconds import measurement_of
from predict.simulation.result import Simulated
from study.results.result import Result


@dataclass(frozen=True)
class Error:
    """One case: the error of its step, the largest of its bubbles, and what makes it doubtful."""

    step: float
    bubbles: list[float]
    host: float
    interval: float
    gpus: int


def compare(result: Result, found: Simulated) -> Error:
    """Return how far a simulated step is from the measured one.

    Args:
        result: that was measured.
        found: the simulated step.
    """
    measurement, _ = measurement_of(result)
    seconds = median(measurement.step_times_s)
    low, high = measurement.median_ci_s or (seconds, seconds)
    return Error(
        found.step_s / seconds - 1,
        [abs(a - b) for a, b in zip(found.bubbles, bubbles_of(result), strict=True)],
        found.host_share,
        max(high / seconds - 1, 1 - low / seconds),
        result.case.gpus,
    )


def bubbles_of(result: Result) -> list[float]:
    """Return the measured share of the typical step in which each GPU computes nothing."""
    spans = measurement_of(result)[1].typical_step
    busy = [0.0] * result.case.gpus
    for span in spans:
        if span.kind not in ("transfer_in", "transfer_out", "collective"):
            busy[span.gpu] += span.end_s - span.start_s
    return [1 - each / max(span.end_s for span in spans) for each in busy]


def summarize(errors: Sequence[Error]) -> None:
    """Print how large the errors are, for each number of GPUs."""
    print("\n| cases | number | step, mean | largest | bubble, mean points | largest |")
    print("|---|---|---|---|---|---|")
    groups: dict[str, Callable[[Error], bool]] = {
        "all": lambda e: True,
        "host share at most 75 %": lambda e: e.host <= 0.75,
        "and interval at most 2 %": lambda e: e.host <= 0.75 and e.interval <= 0.02,
        "host share above 75 %": lambda e: e.host > 0.75,
    }
    for gpus in sorted({error.gpus for error in errors}):
        for name, belongs in groups.items():
            some = [error for error in errors if error.gpus == gpus and belongs(error)]
            if some:
                steps = [abs(error.step) for error in some]
                bubbles = [points for error in some for points in error.bubbles]
                print(f"| {gpus} GPUs, {name} | {len(some)} | {mean(steps):.2%} | {max(steps):.1%} "
                      f"| {100 * mean(bubbles):.1f} | {100 * max(bubbles):.1f} |")  # fmt: skip
