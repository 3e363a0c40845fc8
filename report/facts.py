"""Facts above a table: the setting, the hardware, and emulation."""

from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.wording.hardware import shared_device
from report.wording.names import key_name
from study.schedules import has_key

SETTING = ("dtype", "dim", "batch_size", "split", "optimizer", "schedule", "execution", "seed",
           "micro_batches", "chunks_per_gpu", "balance")  # fmt: skip


def make_facts(grid_table: GridTable) -> list[str]:
    """Return the facts of every kind of table, a line each; the first is the setting."""
    results = grid_table.results
    facts = [_setting(grid_table)]
    if grid_table.changed:
        changes = ", ".join(f"{key_name(k)} {v}" for k, v in grid_table.changed.items())
        facts.append(f"Changed from the grid's own setting: {changes}.")
    if results:
        facts.append(_hardware(results))
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
