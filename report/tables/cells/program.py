"""Cells of a program: its GPUs as NVML sampled them."""

from report.data.measured import MeasuredCase
from report.tables.cells.field import Field
from report.tables.cells.step import Cells
from report.wording.quantities import size_cell
from report.wording.units import UNKNOWN, percent

PEAK = "peak memory in use (sampled)"
# Keys of columns that say something of a program; any other has a dash for it.
OF_PROGRAMS = frozenset(
    ("step_time", "ci", "steps", "speed_up", "efficiency", "gpu_seconds", "items_per_s",
     "items_per_s_per_gpu", "gpu_hours_per_1e9", "sampled_memory", "sampled_utilization")
)  # fmt: skip


def sampled_memory(result: MeasuredCase, field: Field) -> Cells:
    """Return the most memory that any sample saw in use on any of the GPUs, of all jobs."""
    runs = [job.program for job in result.jobs if job.program is not None]
    seen = [gpu.peak_used_bytes for run in runs for gpu in run.gpus]
    return {PEAK: size_cell(max((size for size in seen if size is not None), default=None))}


def sampled_utilization(result: MeasuredCase, field: Field) -> Cells:
    """Return the utilisation of the GPU that was used least, over the whole run."""
    gpus = () if result.program is None else result.program.gpus
    known = [gpu.utilization for gpu in gpus if gpu.utilization is not None]
    return {"utilisation of a run": percent(min(known)) if known else UNKNOWN}


def memory_facts(results: list[MeasuredCase]) -> list[str]:
    """Explain the sampled columns, if any GPU was sampled."""
    runs = [result.program for result in results if result.program is not None]
    if not any(run.gpus for run in runs):
        return []
    interval_ms = 1000 * max(run.sample_interval_s for run in runs)
    return [
        f"Memory and utilisation are NVML's, sampled every {interval_ms:.0f} ms from a program's "
        "start to its end: of all processes on the GPU, start-up included, and of the GPU with "
        "the most memory and of that with the least utilisation. What lies between two samples "
        "is not seen."
    ]
