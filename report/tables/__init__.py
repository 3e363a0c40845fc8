"""The tables of each kind of grid: a main one with a row for each case, then details."""

from collections.abc import Callable

from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.document import Table
from report.tables import bubbles, copies, flops, memory, schedule_costs, time_use
from report.tables.main import make_main_table

DETAILS: dict[str, list[Callable[[list[MeasuredCase]], Table]]] = {
    "step_time": [flops.make_table],
    "layer_map": [],
    "placement_rule": [],
    "memory": [time_use.make_table, memory.make_table, flops.make_table],
    "transfers": [copies.make_table],
    "schedules": [schedule_costs.make_table, bubbles.make_table, flops.make_table],
}


def make_table(grid_table: GridTable) -> Table:
    """One row per case."""
    return make_main_table(grid_table)


def make_details(grid_table: GridTable) -> list[Table]:
    """What there is to say about GPUs, pairs of GPUs and limits; no table without a row."""
    results = [row.measured for row in grid_table.rows if row.measured is not None]
    tables = [make(results) for make in DETAILS[grid_table.grid.table]]
    return [table for table in tables if table.rows]
