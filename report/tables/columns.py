"""The columns that a main table can have: one entry makes the cells of a case."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from report.data.measured import MeasuredCase
from report.tables.cells import gpus, program, schedules, step, throughput
from report.tables.cells.field import Field
from report.tables.cells.step import Cells
from study.case import Case
from study.errors import ConfigError
from study.models import KINDS

MOST_GPUS = 5  # columns of GPUs with room for others beside them


@dataclass(frozen=True)
class Column:
    """One key of `--columns`.

    Attributes:
        cells: Makes the cells of a case, by heading; a column for each GPU is one key.
        headings: What a table without any measurement shows.
        is_timed: True if a step's time is in it, so that notes on timing belong below.
        needs_gpu_counts: True if it says nothing where all cases have equally many GPUs.
        needs_graphs: True if it says nothing unless some steps are CUDA graphs, and some not.
        is_of_each_gpu: True if every GPU has a column.
    """

    cells: Callable[[MeasuredCase, Field], Cells]
    headings: Sequence[str]
    is_timed: bool = False
    needs_gpu_counts: bool = False
    needs_graphs: bool = False
    is_of_each_gpu: bool = False


def _timed(cells: Callable[[MeasuredCase, Field], Cells], *headings: str) -> Column:
    return Column(cells, headings, is_timed=True)


def _phase(name: str) -> Column:
    return _timed(lambda result, field: {name: step.phases(result)[name]}, name)


COLUMNS = {
    "step_time": _timed(step.step_time, step.STEP_TIME),
    "ci": _timed(step.interval, "95 % CI from", "95 % CI to"),
    "steps": _timed(step.steps, "steps"),
    "time_per_layer": _timed(step.time_per_layer, "time per layer"),
    "forward": _phase("forward"),
    "backward": _phase("backward"),
    "optimizer": _phase("optimizer step"),
    "speed_up": Column(step.speed_up, ["speed-up"], is_timed=True, needs_gpu_counts=True),
    "efficiency": Column(step.efficiency, ["efficiency"], is_timed=True, needs_gpu_counts=True),
    "samples_per_s": Column(
        step.samples_per_s, ["samples/s"], is_timed=True, needs_gpu_counts=True
    ),
    "gpu_seconds": Column(
        step.gpu_seconds, ["cost of a step"], is_timed=True, needs_gpu_counts=True
    ),
    "items_per_s": Column(throughput.items_per_s, ["items/s"], is_timed=True),
    "items_per_s_per_gpu": Column(
        throughput.items_per_s_per_gpu, ["items/s per GPU"], is_timed=True, needs_gpu_counts=True
    ),
    "gpu_hours_per_1e9": Column(throughput.gpu_hours, ["GPU-hours per 10⁹ items"], is_timed=True),
    "mfu": _timed(throughput.mfu, "MFU"),
    "share_of_fastest": _timed(throughput.share_of_fastest, "% of fastest product"),
    "over_naive": _timed(schedules.over_naive, "speed over naive (95 % CI)"),
    "launching": Column(
        step.launching, ["launching (of an eager step)"], is_timed=True, needs_graphs=True
    ),
    "bubble": _timed(schedules.bubble, "bubble"),
    "formula": Column(schedules.formula, ["bubble by formula"]),
    "peak_of": Column(throughput.peak_of, [throughput.PEAK_OF]),
    "peak_memory": Column(gpus.peak_memory, ["peak memory"]),
    "memory": Column(gpus.memory, ["memory of GPU 0"], is_of_each_gpu=True),
    "layers": Column(gpus.layers, ["layers of GPU 0"], is_of_each_gpu=True),
    "moved_before": Column(gpus.moved_before, ["data moves before layer"]),
    "calls": Column(gpus.calls, ["`.to` calls per forward"]),
    "moves": Column(gpus.moves, ["moves forward", "moves backward"]),
    "moved": Column(gpus.moved, ["moved forward", "moved backward"]),
    "sampled_memory": Column(program.sampled_memory, [program.PEAK]),
    "sampled_utilization": Column(program.sampled_utilization, ["utilisation of a run"]),
}


# What tables show in place of a key where a model is no linear stack, whose layers are equal and
# whose rows are samples.
OF_MODELS: dict[str, tuple[str, ...]] = {
    "time_per_layer": (),
    "speed_up": (),  # tokens a second and efficiency say it, and a page is no wider
    "samples_per_s": ("items_per_s", "items_per_s_per_gpu", "mfu"),
    "gpu_seconds": ("gpu_hours_per_1e9",),
    "formula": (),
    "peak_memory": ("peak_of",),
}


def headings_of(key: str, cases: Sequence[Case]) -> list[str]:
    """Return the headings of a column of which nothing was measured.

    Args:
        key: The column's.
        cases: Its cases, whose kind of model says what is counted: tokens, images.
    """
    items = {KINDS[case.kind].item or "item" for case in cases}
    item = items.pop() if len(items) == 1 else "item"
    return [re.sub(r"\bitems\b", f"{item}s", heading) for heading in COLUMNS[key].headings]


def for_models(keys: Sequence[str]) -> list[str]:
    """Return the keys of a table's kind for models other than the linear stack."""
    return [own for key in keys for own in OF_MODELS.get(key, (key,))]


def known_columns() -> list[str]:
    """Return the keys that `--columns` takes."""
    return list(COLUMNS)


def check_columns(keys: Sequence[str]) -> None:
    """Refuse keys that are no column.

    Raises:
        ConfigError: A key is unknown or given twice; the message lists those that exist.
    """
    if unknown := [key for key in keys if key not in COLUMNS]:
        known = ", ".join(known_columns())
        raise ConfigError("--columns", f"no column {', '.join(unknown)}; there are {known}")
    if twice := sorted({key for key in keys if list(keys).count(key) > 1}):
        raise ConfigError("--columns", f"given twice: {', '.join(twice)}")


def telling(keys: Sequence[str], field: Field) -> list[str]:
    """Return the keys without those that say nothing of these cases.

    Where a key has a column for each of many GPUs, what more GPUs bring has a table of its own.
    """
    scaling = field.has_gpu_counts and not has_many_gpus(keys, field.results)
    return [
        key
        for key in keys
        if (scaling or not COLUMNS[key].needs_gpu_counts)
        and (field.has_graphs or not COLUMNS[key].needs_graphs)
    ]


def has_many_gpus(keys: Sequence[str], results: Sequence[MeasuredCase]) -> bool:
    """Return True if one of the keys has more columns than leave room for others."""
    most = max((result.case.gpus for result in results), default=0)
    return most > MOST_GPUS and any(COLUMNS[key].is_of_each_gpu for key in keys)
