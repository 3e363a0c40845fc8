"""Facts above a table: the setting, the hardware, and how the numbers were measured."""

from report.analysis.time_use import instrumentation_cost
from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.wording.hardware import shared_device
from report.wording.names import key_name
from report.wording.units import between, signed_percent
from study.schedules import has_key

SETTING = ("dtype", "dim", "batch_size", "split", "optimizer", "schedule", "execution", "seed",
           "micro_batches", "chunks_per_gpu", "balance")  # fmt: skip
CLOCKS = {"cuda_events": "CUDA events on the GPUs", "host": "the host's clock"}


def make_facts(grid_table: GridTable) -> list[str]:
    """Return the facts of every kind of table, a line each; the first is the setting."""
    results = grid_table.results
    facts = [_setting(grid_table)]
    if grid_table.changed:
        changes = ", ".join(f"{key_name(k)} {v}" for k, v in grid_table.changed.items())
        facts.append(f"Changed from the grid's own setting: {changes}.")
    if results:
        facts += [_hardware(results), _samples(results), *_instruments(results)]
    if any(result.emulated for result in results):
        facts.append(_emulation(results))
    return facts


def _setting(grid_table: GridTable) -> str:
    parts = []
    for key in SETTING:
        cases = [row.case for row in grid_table.rows if has_key(key, row.case.schedule)]
        if cases and key not in grid_table.grid.axes:
            parts.append(f"{key_name(key)} {getattr(cases[0], key)}")
    profile = "none yet" if grid_table.profile is None else grid_table.profile
    return f"Profile: {profile}. Setting: {', '.join(parts)}."


def _hardware(results: list[MeasuredCase]) -> str:
    names = sorted({result.hardware for result in results})
    versions = sorted({f"torch {r.environment.torch}" for r in results})
    return f"Hardware: {'; '.join(names)}. {'; '.join(versions)}."


def _samples(results: list[MeasuredCase]) -> str:
    measurements = [job.measurement for r in results for job in r.jobs]
    samples = between([len(m.step_times_s) for m in measurements])
    warmup = between([m.warmup_steps for m in measurements])
    jobs = between([len(r.jobs) for r in results])
    in_jobs = f" in each of {jobs} jobs" if any(r.repeats for r in results) else ""
    # An interval from one job does not show how jobs differ.
    one_job = "; how one job differs from the next is not in them: --repeats 5 shows that"
    return (
        f"Samples: {samples} timed steps a case{in_jobs}, after {warmup} warm-up steps. Step times "
        f"are medians with 95 % confidence intervals (block bootstrap)"
        f"{'' if all(r.repeats for r in results) else one_job}."
    )


def _instruments(results: list[MeasuredCase]) -> list[str]:
    """Describe the instrumented steps: how many, by which clock, and their cost."""
    costs = [cost for cost in map(instrumentation_cost, results) if cost is not None]
    if not costs:
        return []
    breakdowns = [r.measurement.breakdown for r in results if r.measurement.breakdown is not None]
    clocks = " and ".join(sorted({CLOCKS[breakdown.clock] for breakdown in breakdowns}))
    steps = between([len(breakdown.step_times_s) for breakdown in breakdowns])
    low, high = signed_percent(min(costs)), signed_percent(max(costs))
    longer = low if low == high else f"{low} to {high}"
    return [
        f"Forward, backward, optimizer and where the time goes: means or medians of {steps} steps "
        f"of their own with marks, told by {clocks}; beside a timed step these took {longer}."
    ]


def _emulation(results: list[MeasuredCase]) -> str:
    emulated = [result for result in results if result.emulated]
    logical = [result for result in emulated if not result.case.in_processes]
    sources = []
    if logical:
        device = " or ".join(sorted({shared_device(result.environment) for result in logical}))
        sources.append(f"logical GPUs that share {device}")
    if len(logical) < len(emulated):
        sources.append("processes on the CPU, one in place of each GPU")
    return (
        f"EMULATED: {len(emulated)} of {len(results)} results come from {' or '.join(sources)}. "
        "Layers, calls and moves are real; step times are not those of several GPUs, and memory "
        "per GPU does not exist."
    )
