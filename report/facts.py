"""Facts above a table: the setting, the hardware, and how the numbers were measured."""

from report.analysis.time_use import instrumentation_cost
from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.wording.hardware import shared_device
from report.wording.names import key_name
from report.wording.units import between, signed_percent
from study.schedules import has_key

PIPELINE_KEYS = ("micro_batches", "chunks_per_gpu", "balance")
CLOCKS = {"cuda_events": "CUDA events on the GPUs", "host": "the host's clock"}


def make_facts(grid_table: GridTable) -> list[str]:
    """Return the facts of every kind of table, a line each; the first is the setting."""
    results = grid_table.results
    facts = [_setting(grid_table)]
    if grid_table.changed:
        changes = ", ".join(f"{key_name(k)} {v}" for k, v in grid_table.changed.items())
        facts.append(f"Changed from the grid's own setting: {changes}.")
    if results:
        facts += [_hardware(results), _samples(results)]
        facts += filter(None, [_instruments(results)])
    if any(result.emulated for result in results):
        facts.append(_emulation(results))
    return facts


def _setting(grid_table: GridTable) -> str:
    case = grid_table.rows[0].case
    keys = ("dtype", "dim", "batch_size", "split", "optimizer", "schedule", "execution", "seed")
    parts = [
        f"{key_name(key)} {getattr(case, key)}" for key in keys if key not in grid_table.grid.axes
    ]
    parts += filter(None, [_of_pipelines(grid_table, key) for key in PIPELINE_KEYS])
    profile = "none yet" if grid_table.profile is None else grid_table.profile
    return f"Profile: {profile}. Setting: {', '.join(parts)}."


def _of_pipelines(grid_table: GridTable, key: str) -> str | None:
    """Describe a key that some of the table's schedules have."""
    cases = [row.case for row in grid_table.rows if has_key(key, row.case.schedule)]
    if not cases or key in grid_table.grid.axes:
        return None
    return f"{key_name(key)} {getattr(cases[0], key)}"


def _hardware(results: list[MeasuredCase]) -> str:
    names = sorted({result.hardware for result in results})
    versions = sorted({f"torch {r.environment.torch}" for r in results})
    return f"Hardware: {'; '.join(names)}. {'; '.join(versions)}."


def _samples(results: list[MeasuredCase]) -> str:
    measurements = [job.measurement for r in results for job in r.jobs]
    samples = between([len(m.step_times_s) for m in measurements])
    warmup = between([m.warmup_steps for m in measurements])
    jobs = (
        f" in each of {between([len(r.jobs) for r in results])} jobs" if _repeated(results) else ""
    )
    return (
        f"Samples: {samples} timed steps a case{jobs}, after {warmup} warm-up steps. Step times "
        f"are medians with 95 % confidence intervals (block bootstrap){_of_one_job(results)}."
    )


def _of_one_job(results: list[MeasuredCase]) -> str:
    """Warn that an interval from one job leaves out the differences between jobs."""
    if all(result.repeats for result in results):
        return ""
    return "; how one job differs from the next is not in them: --repeats 5 shows that"


def _repeated(results: list[MeasuredCase]) -> bool:
    return any(result.repeats for result in results)


def _instruments(results: list[MeasuredCase]) -> str | None:
    """Describe the instrumented steps: how many, by which clock, and their cost."""
    costs = [cost for cost in map(instrumentation_cost, results) if cost is not None]
    if not costs:
        return None
    breakdowns = [r.measurement.breakdown for r in results if r.measurement.breakdown is not None]
    clocks = " and ".join(sorted({CLOCKS[breakdown.clock] for breakdown in breakdowns}))
    steps = between([len(breakdown.step_times_s) for breakdown in breakdowns])
    low, high = signed_percent(min(costs)), signed_percent(max(costs))
    longer = low if low == high else f"{low} to {high}"
    return (
        f"Forward, backward, optimizer and where the time goes: means or medians of {steps} steps "
        f"of their own with marks, told by {clocks}; beside a timed step these took {longer}."
    )


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
